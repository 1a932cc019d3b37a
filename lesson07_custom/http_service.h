/* http_service: what all connections of a web server share, and nothing that changes.
 *
 * Ownership: main owns it and outlives every connection. Threads: read by any. */
#ifndef LESSON07_HTTP_SERVICE_H
#define LESSON07_HTTP_SERVICE_H

#include "lesson07_custom/http_files.h"
#include "lesson07_custom/http_response.h"
#include "lesson07_custom/runtime.h"

struct http_service {
    bool has_files;          /* a folder is served */
    bool no_date;            /* responses carry no Date line */
    struct http_files files; /* owned by main */
    uint64_t idle_ns;        /* between requests */
    uint64_t request_ns;     /* for a request's head and body to arrive */
    uint64_t send_ns;        /* for a response's piece to be taken */
};

/* The Date line's value for now, or NULL if the service sends none. Borrows: good until
 * the next call on this thread. */
const char *http_service_date(const struct http_service *service);

#endif
