/* http_field: strict where two readers could disagree.
 *
 * Each of these has been used to make a proxy and the server behind it see different
 * requests in the same bytes: two lengths, a length beside chunked, a space before the
 * colon, a line that continues the one before, chunked hidden in the middle of a list.
 * The RFCs let a server repair some of them. This one refuses them all with 400: honest
 * clients send none.
 *
 * Invariant: when http_fields_end answers "no error", at most one of content_length and
 * chunked decides where the body ends, and each field of interest was given once. */
#include "lesson07_custom/http_field.h"

#include <string.h>

static const struct http_error fine;

static struct http_error bad(const char *why)
{
    return (struct http_error){ 400, why };
}

/* Takes the next element off a comma-separated list; false at its end. An element may
 * be empty. */
static bool next_element(struct http_slice *rest, struct http_slice *element)
{
    if (rest->at == NULL)
        return false;
    const char *comma = rest->size > 0 ? memchr(rest->at, ',', rest->size) : NULL;
    size_t size = comma != NULL ? (size_t)(comma - rest->at) : rest->size;
    *element = http_trim((struct http_slice){ rest->at, size });
    rest->at = comma != NULL ? comma + 1 : NULL;
    rest->size = comma != NULL ? rest->size - size - 1 : 0;
    return true;
}

static struct http_error take_length(struct http_fields *fields,
                                     struct http_slice value)
{
    if (fields->has_length)
        return bad("more than one Content-Length");
    fields->has_length = true;
    if (value.size == 0)
        return bad("Content-Length is not a number");
    uint64_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        char c = value.at[i];
        if (c < '0' || c > '9')
            return bad("Content-Length is not a number");
        /* saturates above any limit instead of wrapping to a small number */
        length =
            length > UINT64_MAX / 20 ? UINT64_MAX : length * 10 + (unsigned)(c - '0');
    }
    fields->content_length = length;
    return fine;
}

static struct http_error take_coding(struct http_fields *fields,
                                     struct http_slice value)
{
    struct http_slice coding;
    fields->has_coding = true;
    while (next_element(&value, &coding)) {
        if (fields->chunked_last)
            return bad("chunked is not the last transfer coding");
        fields->chunked_last = http_is(coding, "chunked");
        if (!fields->chunked_last)
            fields->coding_unknown = true;
    }
    return fine;
}

static struct http_error take_connection(struct http_fields *fields,
                                         struct http_slice value)
{
    struct http_slice option;
    while (next_element(&value, &option)) {
        if (http_is(option, "close"))
            fields->close = true;
        else if (http_is(option, "keep-alive"))
            fields->keep_alive = true;
        else if (!http_all(option.at, option.size, HTTP_TOKEN))
            return bad("a Connection option is not a token");
    }
    return fine;
}

static struct http_error take_expect(struct http_fields *fields,
                                     struct http_slice value)
{
    struct http_slice expectation;
    while (next_element(&value, &expectation)) {
        if (http_is(expectation, "100-continue"))
            fields->expects_continue = true;
        else if (expectation.size > 0)
            fields->expects_other = true;
    }
    return fine;
}

/* [IPv6 address]; NULL: it is none. */
static const char *behind_bracket(const char *at, size_t size)
{
    const char *bracket = memchr(at, ']', size);
    if (bracket == NULL || bracket - at < 3)
        return NULL;
    for (const char *c = at + 1; c < bracket; c++) {
        if (http_hex(*c) < 0 && *c != ':' && *c != '.')
            return NULL;
    }
    return bracket + 1;
}

/* Where the authority that starts at `at` stops, at `end` at the latest; NULL: it is
 * none. */
static inline const char *skip_authority(const char *at, const char *end)
{
    if (at < end && *at == '[') {
        at = behind_bracket(at, (size_t)(end - at));
        if (at == NULL)
            return NULL;
    } else {
        while (at < end && http_in(*at, HTTP_HOST))
            at++;
    }
    if (at < end && *at == ':') {
        do {
            at++;
        } while (at < end && *at >= '0' && *at <= '9');
    }
    return at;
}

bool http_authority_valid(struct http_slice authority)
{
    const char *end = authority.at + authority.size;
    return skip_authority(authority.at, end) == end;
}

static const char control[] = "a header field holds a control character";

/* The one field that each request has. What may be in a host may be in a value, so that
 * only a wrong one is looked at twice. */
static struct http_error take_host(struct http_fields *fields, const char *head,
                                   struct http_slice value)
{
    const char *end = value.at + value.size;
    while (http_blank(*value.at))
        value.at++;
    const char *stop = skip_authority(value.at, end);
    const char *rest = stop;
    while (rest != NULL && http_blank(*rest))
        rest++;
    if (rest != end)
        return bad(http_all_value(value.at, (size_t)(end - value.at))
                       ? "Host is not a host"
                       : control);
    if (fields->has_host)
        return bad("more than one Host");
    fields->has_host = true;
    fields->host =
        (struct http_span){ (uint32_t)(value.at - head), (uint32_t)(stop - value.at) };
    return fine;
}

/* Is the name, which has the length of "host", that word? A token's letters differ from
 * their other case in one bit. */
static bool spells_host(const char *name)
{
    char lower[4];
    for (int i = 0; i < 4; i++)
        lower[i] = (char)(name[i] | 0x20);
    return memcmp(lower, "host", 4) == 0;
}

/* The names differ in length, so most fields cost one comparison of numbers. */
static struct http_error take_field(struct http_fields *fields, struct http_slice name,
                                    struct http_slice value)
{
    switch (name.size) {
    case sizeof "expect" - 1:
        return http_is(name, "expect") ? take_expect(fields, value) : fine;
    case sizeof "connection" - 1:
        return http_is(name, "connection") ? take_connection(fields, value) : fine;
    case sizeof "content-length" - 1:
        return http_is(name, "content-length") ? take_length(fields, value) : fine;
    case sizeof "transfer-encoding" - 1:
        return http_is(name, "transfer-encoding") ? take_coding(fields, value) : fine;
    default:
        return fine;
    }
}

/* The line does not begin with a name and a colon. */
static struct http_error no_name(const char *line, size_t size)
{
    if (http_blank(line[0]))
        return bad("a header field continues on the next line");
    if (memchr(line, ':', size) == NULL)
        return bad("a header field has no colon");
    return bad("a header field's name is not a token");
}

struct http_error http_fields_add(struct http_fields *fields, const char *head,
                                  size_t begin, size_t end)
{
    const char *line = head + begin;
    const char *colon = http_skip(line, HTTP_TOKEN);
    fields->count++;
    if (colon == line || *colon != ':')
        return no_name(line, end - begin);
    struct http_slice name = { line, (size_t)(colon - line) };
    struct http_slice value = { colon + 1, (size_t)(head + end - (colon + 1)) };
    if (name.size == sizeof "host" - 1 && spells_host(line))
        return take_host(fields, head, value);
    if (!http_all_value(value.at, value.size))
        return bad(control);
    return take_field(fields, name, http_trim(value));
}

struct http_error http_fields_end(const struct http_fields *fields, unsigned minor)
{
    if (minor >= 1 && !fields->has_host)
        return bad("HTTP/1.1 needs a Host");
    if (!fields->has_coding)
        return fine;
    if (fields->has_length)
        return bad("both Content-Length and Transfer-Encoding");
    if (minor == 0)
        return bad("HTTP/1.0 has no Transfer-Encoding");
    if (!fields->chunked_last)
        return bad("the last transfer coding is not chunked");
    if (fields->coding_unknown)
        return (struct http_error){ 501, "the only transfer coding here is chunked" };
    return fine;
}
