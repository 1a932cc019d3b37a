/* http_answer: nearly each answer is the same bytes as the one before.
 *
 * Each thread keeps the whole answer to /hello, and a request costs one copy of it. Only
 * an answer that says something about the connection is made anew. The date in it is
 * looked at once a request: the coarse clock is read without a system call, and a text
 * is made when the second has changed. */
#include "lesson07_custom/http_answer.h"

#include <time.h>

#include "common/check.h"
#include "common/thread_local.h"

static TLS_DEFINE(struct http_date, date_here);
static TLS_DEFINE(struct http_canned, hello_here);

const char *http_service_date(const struct http_service *service)
{
    struct timespec now;
    if (service->no_date)
        return NULL;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return http_date_at(&TLS(date_here), now.tv_sec);
}

static int write_hello(const struct http_answer *answer, const char *date, char *out,
                       size_t room)
{
    static const char text[] = "Hello, world";
    struct http_canned *canned = &TLS(hello_here);
    bool plain = answer->connection == HTTP_PERSISTS;
    if (!plain || canned->size == 0) {
        struct http_response response = {
            .status = 200,
            .connection = answer->connection,
            .content_type = "text/plain",
            .date = date,
            .head_only = answer->head_only,
        };
        if (!plain)
            return http_response_whole(response, text, sizeof text - 1, out, room);
        int err = http_canned_init(canned, &response, text, sizeof text - 1);
        CHECK(err == 0, "a short answer does not fit");
    }
    http_canned_stamp(canned, date);
    return http_canned_copy(canned, answer->head_only, out, room);
}

size_t http_answer_write(const struct http_answer *answer,
                         const struct http_service *service, char *out, size_t room)
{
    const char *date = http_service_date(service);
    int size;
    if (answer->status == 0) {
        size = write_hello(answer, date, out, room);
    } else {
        struct http_response base = { .connection = answer->connection,
                                      .date = date,
                                      .head_only = answer->head_only };
        size = http_response_error(base, answer->status, answer->why, out, room);
    }
    CHECK(size > 0, "an answer does not fit although room was left for it");
    return (size_t)size;
}
