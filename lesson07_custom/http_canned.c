/* http_canned: what never changes is made once.
 *
 * Two caches of one size each. A date changes once a second, so it is written once a
 * second (by hand, since strftime follows the locale and HTTP's month names do not). A
 * constant response never changes but for its date, whose place in the bytes is fixed:
 * every date has 29 characters. So an answer costs one memcpy.
 *
 * Invariant: the bytes are a complete response at any time; a stamp replaces exactly
 * the date's characters. */
#include "lesson07_custom/http_response.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"

static void two_digits(char *out, int number)
{
    out[0] = (char)('0' + number / 10 % 10);
    out[1] = (char)('0' + number % 10);
}

const char *http_date_make(struct http_date *date, time_t now)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;
    CHECK(gmtime_r(&now, &tm) != NULL && tm.tm_year >= -1900 && tm.tm_year < 8100,
          "the clock is outside the years 0 to 9999");
    memcpy(date->text, "Sun, 06 Nov 1994 08:49:37 GMT", sizeof date->text);
    memcpy(date->text, days + 3 * tm.tm_wday, 3);
    two_digits(date->text + 5, tm.tm_mday);
    memcpy(date->text + 8, months + 3 * tm.tm_mon, 3);
    two_digits(date->text + 12, (tm.tm_year + 1900) / 100);
    two_digits(date->text + 14, (tm.tm_year + 1900) % 100);
    two_digits(date->text + 17, tm.tm_hour);
    two_digits(date->text + 20, tm.tm_min);
    two_digits(date->text + 23, tm.tm_sec);
    date->second = now;
    date->made = true;
    return date->text;
}

int http_canned_init(struct http_canned *canned, const struct http_response *response,
                     const char *body, size_t body_size)
{
    static const char line[] = "\r\nDate: ";
    struct http_response full = *response;
    full.head_only = false;
    int size =
        http_response_whole(full, body, body_size, canned->bytes, sizeof canned->bytes);
    if (size < 0)
        return size;
    canned->size = (size_t)size;
    canned->head_size = (size_t)size - body_size;
    canned->date_at = 0;
    if (response->date != NULL) {
        const char *found =
            memmem(canned->bytes, canned->head_size, line, sizeof line - 1);
        CHECK(found != NULL, "a response with a date has a Date line");
        canned->date_at = (size_t)(found - canned->bytes) + sizeof line - 1;
    }
    return 0;
}

void http_canned_stamp(struct http_canned *canned, const char *date)
{
    if (canned->date_at != 0)
        memcpy(canned->bytes + canned->date_at, date, HTTP_DATE_SIZE);
}

int http_canned_copy(const struct http_canned *canned, bool head_only, char *out,
                     size_t capacity)
{
    size_t size = head_only ? canned->head_size : canned->size;
    if (capacity < size)
        return -ENOBUFS;
    memcpy(out, canned->bytes, size);
    return (int)size;
}
