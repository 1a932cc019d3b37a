/* fuzz: what the writer writes the reader reads, and the reader survives everything else.
 *
 * Two ways: the input as a line, of which each kind of value is asked; and the input as
 * keys and values, which are written as an object and read again. */
#include "common/fuzzing/fuzz.h"

#include <math.h>

#include "lesson08_compare/json.h"

/* ---- any line */

static void ask(const char *line, const char *key)
{
    double real = -7;
    uint64_t count = 7;
    char text[8];
    bool is_real = json_get(line, key, &real);
    CHECK(is_real ? isfinite(real) : real == -7, "%s: number %g, %d", key, real,
          is_real);
    bool is_count = json_get_count(line, key, &count);
    CHECK(is_count || count == 7, "%s is no count, but was set", key);
    CHECK(!is_count || (is_real && real >= 0), "%s: a count, but no number", key);
    memset(text, 'x', sizeof text);
    bool is_text = json_get_text(line, key, text, sizeof text);
    CHECK(!is_text || !is_real, "%s: a text and a number", key);
    CHECK(memchr(text, '\0', sizeof text) || !is_text, "%s: a text without end", key);
}

static void any_line(const char *line)
{
    char key[40];
    double value;
    size_t rounds = 0, length = strlen(line);
    ask(line, "type");
    ask(line, "n");
    ask(line, "");
    for (const char *at = line; (at = json_next_number(at, key, sizeof key, &value));) {
        CHECK(at > line && at <= line + length, "it left the line");
        CHECK(rounds++ <= length, "more numbers than bytes");
        CHECK(isfinite(value), "%s is %g", key, value);
        ask(line, key);
    }
}

/* ---- what we wrote */

struct item {
    char key[16];
    char text[200];
    uint64_t count;
    double real;
    int kind; /* 0: text, 1: count, 2: real */
};

#define ITEMS 12

/* Takes the next item off the input; its key is unique. */
static struct item take_item(const uint8_t **data, size_t *size, int number)
{
    struct item item = { .kind = **data % 3 };
    size_t n = *size < 9 ? *size : 9, length = (*data)[0] / 3;
    snprintf(item.key, sizeof item.key, "k%d", number);
    memcpy(&item.count, *data + 1, n - 1);
    memcpy(&item.real, &item.count, sizeof item.real);
    length = length < *size - 1 ? length : *size - 1;
    if (item.kind == 0) {
        memcpy(item.text, *data + 1, length);
        n = 1 + length;
    }
    *data += n;
    *size -= n;
    return item;
}

static void write_item(struct json *json, const struct item *item)
{
    if (item->kind == 0)
        json_text(json, item->key, item->text);
    else if (item->kind == 1)
        json_count(json, item->key, item->count);
    else
        json_real(json, item->key, item->real);
}

static void must_be_read(const char *line, const struct item *item)
{
    char text[sizeof item->text];
    double real = 0;
    uint64_t count = 0;
    if (item->kind == 0)
        CHECK(json_get_text(line, item->key, text, sizeof text) &&
                  strcmp(text, item->text) == 0,
              "%s of %s", item->key, line);
    if (item->kind == 1)
        CHECK(json_get_count(line, item->key, &count) && count == item->count,
              "%s of %s", item->key, line);
    bool is_real = json_get(line, item->key, &real);
    if (item->kind == 2)
        CHECK(isfinite(item->real)
                  ? is_real && fabs(real - item->real) <= 1e-8 * fabs(item->real)
                  : !is_real,
              "%s of %s", item->key, line);
}

static void our_line(const uint8_t *data, size_t size)
{
    struct item items[ITEMS];
    struct json json;
    char *line = NULL, key[40];
    size_t length = 0, numbers = 0, wanted = 0;
    int count = 0;
    double value;
    FILE *out = open_memstream(&line, &length);
    CHECK(out, "no memory");
    json_begin(&json, out);
    while (size > 0 && count < ITEMS) {
        struct item item = take_item(&data, &size, count);
        write_item(&json, &item);
        wanted += item.kind == 1 || (item.kind == 2 && isfinite(item.real));
        items[count++] = item;
    }
    json_end(&json);
    CHECK(fclose(out) == 0 && strlen(line) == length, "the line");
    CHECK(strchr(line, '\n') == line + length - 1, "not one line: %s", line);
    for (int i = 0; i < count; i++)
        must_be_read(line, &items[i]);
    for (const char *at = line; (at = json_next_number(at, key, sizeof key, &value));)
        numbers++;
    CHECK(numbers == wanted, "%zu numbers, not %zu, in %s", numbers, wanted, line);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = fuzz_text(data, size);
    any_line(line);
    our_line(data, size);
    free(line);
    return 0;
}
