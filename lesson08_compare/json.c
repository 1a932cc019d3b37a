/* json: flat objects, written with escapes, read back by key.
 *
 * The reader looks for "key": at the place of a key, which is enough for lines that the
 * writer made: a key is preceded by '{' or ',', and inside a text every quote is
 * escaped, so a text can never contain ,"key": unescaped. */
#include "lesson08_compare/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ')
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void key_of(struct json *json, const char *key)
{
    if (json->comma)
        fputc(',', json->out);
    json->comma = true;
    quoted(json->out, key);
    fputc(':', json->out);
}

void json_begin(struct json *json, FILE *out)
{
    *json = (struct json){ .out = out };
    fputc('{', out);
}

void json_text(struct json *json, const char *key, const char *value)
{
    key_of(json, key);
    quoted(json->out, value);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    key_of(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void json_real(struct json *json, const char *key, double value)
{
    key_of(json, key);
    if (isfinite(value))
        fprintf(json->out, "%.9g", value);
    else
        fputs("null", json->out); /* JSON has no infinity */
}

void json_end(struct json *json)
{
    fputs("}\n", json->out);
}

/* Where the value of a key begins; NULL if the key is absent. */
static const char *value_of(const char *line, const char *key)
{
    char wanted[64];
    int length = snprintf(wanted, sizeof wanted, "\"%s\":", key);
    if (length < 0 || (size_t)length >= sizeof wanted)
        return NULL;
    for (const char *at = line; (at = strstr(at, wanted)); at++) {
        const char *before = at;
        while (before > line && before[-1] == ' ')
            before--;
        if (before > line && (before[-1] == ',' || before[-1] == '{')) {
            at += length;
            return at + strspn(at, " ");
        }
    }
    return NULL;
}

/* strtod reads more than JSON has: nan, inf, hexadecimals, a number above all doubles. A
 * NaN that a program prints would pass each comparison that is there to stop it. */
static bool number_at(const char *at, double *value, const char **behind)
{
    char *end;
    double number = strtod(at, &end);
    if (end == at || !isfinite(number) ||
        strspn(at, "+-.0123456789eE") < (size_t)(end - at))
        return false;
    *value = number;
    *behind = end;
    return true;
}

bool json_get(const char *line, const char *key, double *value)
{
    const char *at = value_of(line, key);
    return at && number_at(at, value, &at);
}

bool json_get_count(const char *line, const char *key, uint64_t *value)
{
    const char *at = value_of(line, key);
    char *end;
    if (!at || *at < '0' || *at > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(at, &end, 10);
    if (errno || !*end || !strchr(",} ", *end))
        return false;
    *value = number;
    return true;
}

/* The character that an escape stands for; *at is behind the backslash, and goes on
 * behind the escape. */
static char unescaped(const char **at)
{
    char c = *(*at)++;
    if (c == 'n' || c == 't')
        return c == 'n' ? '\n' : '\t';
    if (c != 'u')
        return c;
    char digits[5] = "";
    for (int i = 0; i < 4 && isxdigit((unsigned char)**at); i++)
        digits[i] = *(*at)++;
    unsigned long code = strtoul(digits, NULL, 16);
    return (char)(code > 0 && code < 128 ? code : '?');
}

/* Reads the text that begins at `at`, which is its quote, and cuts it to the room there
 * is. Returns its other quote, or the end of the line. */
static const char *read_text(const char *at, char *text, size_t size)
{
    size_t n = 0;
    at++;
    while (*at && *at != '"') {
        char c = *at++;
        if (c == '\\' && *at)
            c = unescaped(&at);
        if (n + 1 < size)
            text[n++] = c;
    }
    if (size > 0)
        text[n] = '\0';
    return at;
}

bool json_get_text(const char *line, const char *key, char *text, size_t size)
{
    const char *at = value_of(line, key);
    return at && *at == '"' && *read_text(at, text, size) == '"';
}

const char *json_next_number(const char *at, char *key, size_t size, double *value)
{
    while (*at) {
        if (*at != '"') {
            at++;
            continue;
        }
        at = read_text(at, key, size);
        at += *at == '"';
        if (*at != ':')
            continue;
        at += 1 + strspn(at + 1, " ");
        const char *end;
        if (number_at(at, value, &end))
            return end;
        if (*at == '"') {
            at = read_text(at, NULL, 0);
            at += *at == '"';
        }
    }
    return NULL;
}
