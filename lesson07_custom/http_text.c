/* http_text: one look into a table instead of a chain of comparisons.
 *
 * A parser asks of nearly each byte "may you stand here?". The table below is the RFCs'
 * grammar turned inside out: for each byte the sets that it belongs to, as bits. The
 * test writes the grammar down a second time, as the RFCs spell it, and compares.
 *
 * Invariant: CR, LF and NUL are in no set. So whatever was checked against any set can
 * be put into a response without splitting it. */
#include "lesson07_custom/http_text.h"

#include <string.h>

/* clang-format off */
const uint8_t http_sets[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0, /* 00: controls; tab */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10: controls */
     2, 47, 38,  3, 47, 47, 47, 47, 46, 46, 47, 47, 46, 63, 63, 54, /* 20: space ! " # ... */
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 46, 38, 46, 38,  6, /* 30: digits */
    38, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, /* 40: @ A-O */
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 38, 38, 39, 63, /* 50: P-Z */
    39, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, /* 60: ` a-o */
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 39, 38, 63,  0, /* 70: p-z ... DEL */
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

/* Eight bytes at a step. In each byte of `low` the top bit is set if the byte is below
 * 0x20, in `del` if it is 0x7f; a borrow or carry from a neighbour can set one too many,
 * never one too few. Then the table is asked. */
bool http_all_value(const char *at, size_t size)
{
    const uint64_t every = UINT64_MAX / 0xff; /* 0x0101... */
    while (size >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t low = (word - every * 0x20) & ~word;
        uint64_t del = ((word ^ every * 0x7f) - every) & ~(word ^ every * 0x7f);
        if (((low | del) & every * 0x80) != 0 && !http_all(at, sizeof word, HTTP_VALUE))
            return false;
        at += sizeof word;
        size -= sizeof word;
    }
    return http_all(at, size, HTTP_VALUE);
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
