/* workload: the two lines that a server and the lab exchange, written and read.
 *
 * Reading is strict: a line that is nearly right is a server that does not keep the
 * agreement, and a measurement that silently reads 0 would look like a very good one.
 */
#include "lesson08_compare/workload.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

bool workload_proto_parse(const char *name, enum workload_proto *proto)
{
    if (strcmp(name, "echo") == 0)
        *proto = WORKLOAD_ECHO;
    else if (strcmp(name, "http") == 0)
        *proto = WORKLOAD_HTTP;
    else
        return false;
    return true;
}

bool workload_response_matches(size_t at, const char *bytes, size_t n)
{
    static const char expected[] = WORKLOAD_RESPONSE;
    const size_t date_end = WORKLOAD_DATE_AT + WORKLOAD_DATE_SIZE;
    size_t end = at + n;
    if (end > WORKLOAD_RESPONSE_SIZE)
        return false;
    size_t before = end < WORKLOAD_DATE_AT ? end : WORKLOAD_DATE_AT;
    size_t after = at > date_end ? at : date_end;
    return (at >= before || memcmp(bytes, expected + at, before - at) == 0) &&
           (after >= end ||
            memcmp(bytes + (after - at), expected + after, end - after) == 0);
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

void workload_print_stats(FILE *out, struct served served)
{
    struct rusage usage = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    served.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    fprintf(out,
            "stats: requests=%" PRIu64 " syscalls=%" PRIu64 " cpu_us=%" PRIu64 "\n",
            served.requests, served.syscalls, served.cpu_us);
    fflush(out);
}

/* Digits only: scanf and strtoull would take a sign and blanks as well. */
static bool take_field(const char **at, const char *word, uint64_t *value)
{
    size_t length = strlen(word);
    char *end;
    if (strncmp(*at, word, length) != 0 || !isdigit((unsigned char)(*at)[length]))
        return false;
    errno = 0;
    *value = strtoull(*at + length, &end, 10);
    *at = end;
    return errno == 0;
}

bool workload_parse_stats(const char *line, struct served *served)
{
    struct served s;
    if (!take_field(&line, "stats: requests=", &s.requests) ||
        !take_field(&line, " syscalls=", &s.syscalls) ||
        !take_field(&line, " cpu_us=", &s.cpu_us) || (*line && *line != '\n'))
        return false;
    *served = s;
    return true;
}

int workload_parse_listening(const char *line)
{
    static const char start[] = "listening on ";
    if (strncmp(line, start, sizeof start - 1) != 0)
        return -EINVAL;
    const char *address = line + sizeof start - 1;
    size_t length = strcspn(address, " \r\n");
    const char *colon = memrchr(address, ':', length);
    if (!colon || !isdigit((unsigned char)colon[1]))
        return -EINVAL;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end != address + length || port == 0 || port > 65535)
        return -EINVAL;
    return (int)port;
}

bool workload_parse_number(const char *text, uint64_t low, uint64_t high,
                           uint64_t *number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value < low || value > high)
        return false;
    *number = value;
    return true;
}
