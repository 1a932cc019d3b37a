/* workload: what every server of the lab and the lab itself agree on.
 *
 * Three things are fixed here and nowhere else, so that two servers can only differ in
 * how they do the work, never in the work:
 *   - the bytes of the HTTP answer (the lab compares them before it measures anything),
 *   - the line with which a server says where it listens,
 *   - the line with which a server says at its end what it did.
 *
 * The second line is machine-readable and has exactly this form:
 *
 *     stats: requests=N syscalls=N cpu_us=N
 *
 * requests: HTTP requests answered, or receives that delivered bytes (echo has no
 * requests). syscalls: system calls made, counted at the server's own call sites.
 * cpu_us: user + system time of the process, in microseconds, from getrusage.
 *
 * Threads: any. */
#ifndef LESSON08_WORKLOAD_H
#define LESSON08_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum workload_proto { WORKLOAD_ECHO, WORKLOAD_HTTP };

#define WORKLOAD_PATH "/hello"
#define WORKLOAD_REQUEST "GET " WORKLOAD_PATH " HTTP/1.1\r\nHost: lab\r\n\r\n"
/* The date is a placeholder: a server with a clock has to send the current one. */
#define WORKLOAD_DATE "Thu, 01 Jan 1970 00:00:00 GMT"
#define WORKLOAD_DATE_SIZE (sizeof WORKLOAD_DATE - 1)
#define WORKLOAD_BEFORE_DATE                                                           \
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\nDate: "
#define WORKLOAD_DATE_AT (sizeof WORKLOAD_BEFORE_DATE - 1)
#define WORKLOAD_RESPONSE WORKLOAD_BEFORE_DATE WORKLOAD_DATE "\r\n\r\nHello, world"
#define WORKLOAD_RESPONSE_SIZE (sizeof WORKLOAD_RESPONSE - 1)

struct served {
    uint64_t requests;
    uint64_t syscalls;
    uint64_t cpu_us;
};

/* "echo" or "http"; false for anything else. */
bool workload_proto_parse(const char *name, enum workload_proto *proto);

/* Are these the n bytes at offset `at` of the agreed answer, whatever its date? */
bool workload_response_matches(size_t at, const char *bytes, size_t n);

/* Writes the stats line; fills in cpu_us itself. */
void workload_print_stats(FILE *out, struct served served);

/* Reads a stats line; false if the line is not one. */
bool workload_parse_stats(const char *line, struct served *served);

/* The port in "listening on ADDRESS:PORT", possibly followed by " (driver: NAME)";
 * negative if the line says something else. */
int workload_parse_listening(const char *line);

/* A whole decimal number within [low, high]; false for anything else. For options. */
bool workload_parse_number(const char *text, uint64_t low, uint64_t high,
                           uint64_t *number);

#endif
