/* json: as much JSON as the lab exchanges - flat objects of numbers and texts.
 *
 * Threads: one at a time for each struct. */
#ifndef LESSON08_JSON_H
#define LESSON08_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out; /* borrows */
    bool comma;
};

/* One object on one line, ended by a newline. */
void json_begin(struct json *json, FILE *out);
void json_text(struct json *json, const char *key, const char *value);
void json_count(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value);
void json_end(struct json *json);

/* Reads a number out of such a line; false if the key is absent or no finite number. */
bool json_get(const char *line, const char *key, double *value);
/* A whole number, exact up to 64 bits; false for a sign, a fraction, a text. */
bool json_get_count(const char *line, const char *key, uint64_t *value);
/* A text, its escapes resolved (\u above one byte as '?'), cut to the room there is. */
bool json_get_text(const char *line, const char *key, char *text, size_t size);

/* The next pair of a key and a number in a flat object, from `at` on (first the line
 * itself); returns where to go on, NULL when there is none. Other pairs are skipped. The
 * key is read as a text is: its escapes resolved, cut to the room there is. */
const char *json_next_number(const char *at, char *key, size_t size, double *value);

#endif
