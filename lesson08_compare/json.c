/* json: flat objects, written with escapes, read back by key.
 *
 * The reader looks for "key": at the place of a key, which is enough for lines that the
 * writer made: a key is preceded by '{' or ',', and inside a text every quote is
 * escaped, so a text can never contain ,"key": unescaped. */
#include "lesson08_compare/json.h"

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
        fprintf(json->out, "%.6g", value);
    else
        fputs("null", json->out); /* JSON has no infinity */
}

void json_end(struct json *json)
{
    fputs("}\n", json->out);
}

bool json_get(const char *line, const char *key, double *value)
{
    char wanted[64];
    int length = snprintf(wanted, sizeof wanted, "\"%s\":", key);
    if (length < 0 || (size_t)length >= sizeof wanted)
        return false;
    for (const char *at = line; (at = strstr(at, wanted)); at++) {
        if (at == line || (at[-1] != ',' && at[-1] != '{'))
            continue;
        char *end;
        double number = strtod(at + length, &end);
        if (end == at + length)
            return false;
        *value = number;
        return true;
    }
    return false;
}
