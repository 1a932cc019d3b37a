/* fuzz: header fields, against a second reader that is slow and has no clever places.
 *
 * The parser knows a field by the length of its name, looks at eight bytes at a step and
 * at a host only once. The reader here takes each line apart as RFC 9110 writes it down,
 * with a regular expression for the host, and has to come to the same facts.
 *
 * The input is a head's lines; each ends at an LF, and is given the CR that the contract
 * of http_fields_add asks for. */
#include "common/fuzzing/fuzz.h"

#include <regex.h>
#include <stdio.h>
#include <strings.h>

#include "lesson07_custom/http_field.h"

#define HOST "^(\\[[0-9A-Fa-f:.]{2,}\\]|[][:alnum:]._~!$&'()*+,;=%-]*)(:[0-9]*)?$"
#define LENGTH_MOST (UINT64_MAX / 20)

struct facts {
    bool wrong;
    struct http_fields f;
};

static bool looks_like_host(const char *text)
{
    static regex_t host;
    static bool made;
    if (!made)
        made = regcomp(&host, HOST, REG_EXTENDED | REG_NOSUB) == 0;
    CHECK(made, "the expression is wrong");
    return strchr("[", text[0]) || !strpbrk(text, "[]")
               ? regexec(&host, text, 0, NULL, 0) == 0
               : false;
}

/* Without the blanks at both ends, in place. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

static void read_length(struct facts *facts, const char *value)
{
    facts->wrong = facts->wrong || facts->f.has_length || value[0] == '\0' ||
                   value[strspn(value, "0123456789")] != '\0';
    facts->f.has_length = true;
    facts->f.content_length = strtoull(value, NULL, 10); /* above: the largest */
}

/* One element of a list. */
static void read_element(struct facts *facts, const char *name, const char *element)
{
    struct http_fields *f = &facts->f;
    if (strcasecmp(name, "Connection") == 0) {
        f->close = f->close || strcasecmp(element, "close") == 0;
        f->keep_alive = f->keep_alive || strcasecmp(element, "keep-alive") == 0;
        for (const char *c = element; *c; c++)
            facts->wrong = facts->wrong || !http_in(*c, HTTP_TOKEN);
    } else if (strcasecmp(name, "Expect") == 0) {
        bool goes_on = strcasecmp(element, "100-continue") == 0;
        f->expects_continue = f->expects_continue || goes_on;
        f->expects_other = f->expects_other || (!goes_on && *element);
    } else {
        facts->wrong = facts->wrong || f->chunked_last;
        f->chunked_last = strcasecmp(element, "chunked") == 0;
        f->coding_unknown = f->coding_unknown || !f->chunked_last;
    }
}

static void read_list(struct facts *facts, const char *name, char *value)
{
    for (char *element = value, *next; element; element = next) {
        next = strchr(element, ',');
        if (next)
            *next++ = '\0';
        read_element(facts, name, trimmed(element));
    }
}

/* A line without its end. */
static void read_line(struct facts *facts, char *line, size_t size)
{
    char *colon = memchr(line, ':', size);
    facts->f.count++;
    facts->wrong = facts->wrong || !colon || colon == line;
    for (size_t i = 0; i < size; i++)
        facts->wrong = facts->wrong ||
                       !http_in(line[i], &line[i] < colon ? HTTP_TOKEN : HTTP_VALUE);
    if (facts->wrong)
        return;
    *colon = '\0';
    char *value = trimmed(colon + 1);
    if (strcasecmp(line, "Host") == 0) {
        facts->wrong = facts->f.has_host || !looks_like_host(value);
        facts->f.has_host = true;
    } else if (strcasecmp(line, "Content-Length") == 0) {
        read_length(facts, value);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        facts->f.has_coding = true;
        read_list(facts, line, value);
    } else if (strcasecmp(line, "Connection") == 0 || strcasecmp(line, "Expect") == 0) {
        read_list(facts, line, value);
    }
}

static void must_be_same(const struct http_fields *a, const struct http_fields *b)
{
    CHECK(a->count == b->count, "%u fields, not %u", a->count, b->count);
    CHECK(a->has_host == b->has_host, "a Host, or not");
    CHECK(a->has_length == b->has_length, "a Content-Length, or not");
    bool above = a->content_length > LENGTH_MOST && b->content_length > LENGTH_MOST;
    CHECK(above || a->content_length == b->content_length, "%zu bytes, not %zu",
          (size_t)a->content_length, (size_t)b->content_length);
    CHECK(a->has_coding == b->has_coding && a->chunked_last == b->chunked_last &&
              a->coding_unknown == b->coding_unknown,
          "the transfer coding");
    CHECK(a->close == b->close && a->keep_alive == b->keep_alive, "the connection");
    CHECK(a->expects_continue == b->expects_continue &&
              a->expects_other == b->expects_other,
          "what is expected");
}

/* One line for both readers; false: it is wrong. */
static bool take_line(struct http_fields *fields, struct facts *facts, const char *line,
                      size_t size)
{
    char *head = malloc(size + 2), *text = fuzz_text(line, size);
    CHECK(head, "no memory");
    bool had_host = fields->has_host;
    memcpy(head, line, size);
    memcpy(head + size, "\r\n", 2);
    struct http_error error = http_fields_add(fields, head, 0, size);
    CHECK(http_all_value(head, size) == http_all(head, size, HTTP_VALUE),
          "eight bytes at a step see something else");
    if (fields->has_host && !had_host)
        CHECK(fields->host.at <= size && fields->host.size <= size - fields->host.at,
              "the host is not inside its line");
    read_line(facts, text, size);
    CHECK((error.status != 0) == facts->wrong, "\"%.*s\": %d (%s)", (int)size, line,
          error.status, error.why ? error.why : "fine");
    free(head);
    free(text);
    return error.status == 0;
}

/* What http_fields_end promises. */
static void look_at_end(const struct http_fields *f, unsigned minor)
{
    struct http_error error = http_fields_end(f, minor);
    bool framed = !f->has_coding || (!f->has_length && minor > 0 && f->chunked_last);
    bool wrong = (minor > 0 && !f->has_host) || !framed;
    int status = wrong ? 400 : f->has_coding && f->coding_unknown ? 501 : 0;
    CHECK(error.status == status, "%d at the end, not %d", error.status, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data, *end = line + size;
    struct http_fields fields = { 0 };
    struct facts facts = { 0 };
    bool right = true;
    while (right && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        const char *cr = stop > line && stop[-1] == '\r' ? stop - 1 : stop;
        right = take_line(&fields, &facts, line, (size_t)(cr - line));
        line = stop < end ? stop + 1 : end;
    }
    if (right) {
        must_be_same(&fields, &facts.f);
        look_at_end(&fields, 0);
        look_at_end(&fields, 1);
    }
    return 0;
}
