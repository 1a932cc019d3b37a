/* http_text: one look into a table instead of a chain of comparisons.
 *
 * A parser asks of nearly each byte "may you stand here?". The table below is the RFCs'
 * grammar turned inside out: for each byte the sets that it belongs to, as bits. The
 * test writes the grammar down a second time, as the RFCs spell it, and compares.
 *
 * Invariant: CR, LF and NUL are in no set. So whatever was checked against any set can
 * be put into a response without splitting it. */
#include "lesson07_custom/http_text.h"

/* clang-format off */
const uint8_t http_sets[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0, /* 00: controls; tab */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10: controls */
     2, 15,  6,  3, 15, 15, 15, 15, 14, 14, 15, 15, 14, 31, 31, 22, /* 20: space ! " # ... */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31,  6, 14,  6, 14,  6,  6, /* 30: digits */
     6, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, /* 40: @ A-O */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,  6,  6,  6,  7, 31, /* 50: P-Z */
     7, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, /* 60: ` a-o */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,  6,  7,  6, 31,  0, /* 70: p-z ... DEL */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* 80: obs-text */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
};
/* clang-format on */

bool http_is(struct http_slice slice, const char *lower)
{
    size_t i = 0;
    for (; i < slice.size && lower[i] != '\0'; i++) {
        char c = slice.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != lower[i])
            return false;
    }
    return i == slice.size && lower[i] == '\0';
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct http_slice http_trim(struct http_slice slice)
{
    while (slice.size > 0 && blank(slice.at[0])) {
        slice.at++;
        slice.size--;
    }
    while (slice.size > 0 && blank(slice.at[slice.size - 1]))
        slice.size--;
    return slice;
}

int http_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
