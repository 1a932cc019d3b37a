/* http_answer: what is said to a request that needs no file.
 *
 * Decided while the request's slices are there, written once its body has been read.
 *
 * Ownership: plain data; writing borrows everything for the call. Threads: any; what an
 * answer is made of is cached for each thread. */
#ifndef LESSON07_HTTP_ANSWER_H
#define LESSON07_HTTP_ANSWER_H

#include "lesson07_custom/http_service.h"

struct http_answer {
    int status; /* 0: the canned /hello; 200: a file; else an error */
    const char *why;
    enum http_connection connection;
    bool head_only;
};

/* Writes /hello or an error; its size. `room` is at least HTTP_RESPONSE_ROOM. */
size_t http_answer_write(const struct http_answer *answer,
                         const struct http_service *service, char *out, size_t room);

#endif
