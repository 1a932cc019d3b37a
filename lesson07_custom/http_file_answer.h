/* http_file_answer: a file as the answer to a request.
 *
 * Opening walks a path and may wait for a disk, so it happens on a blocking thread;
 * reading is an operation like any other (on io_uring by the kernel, on epoll by the
 * blocking pool). At most one piece of the file is in memory.
 *
 * Ownership: on the heap, owned by the connection; owns the file while it is open.
 * Threads: as for any future. */
#ifndef LESSON07_HTTP_FILE_ANSWER_H
#define LESSON07_HTTP_FILE_ANSWER_H

#include "lesson07_custom/http_request.h"
#include "lesson07_custom/http_service.h"

#define HTTP_PATH_ROOM 1024
#define HTTP_PIECE (32 * 1024)

struct http_file_answer {
    ASYNC_FRAME;
    const struct http_service *service; /* borrows */
    struct io_source *peer;             /* borrows: where it goes */
    enum http_connection connection;
    bool head_only;
    bool folder;
    char path[HTTP_PATH_ROOM];
    char location[HTTP_PATH_ROOM]; /* for a folder without its slash */
    struct blocking_borrow open;
    struct http_file file;
    struct io_source *source; /* owns: the open file */
    struct io_op op;
    struct time_limit *limit; /* borrows: the connection's */
    uint64_t offset;
    int size;    /* of the head or the piece in `piece` */
    int status;  /* of the answer */
    bool broken; /* output: the connection cannot go on */
    char piece[HTTP_PIECE];
};

/* NULL: no memory. `raw` and `query` are slices of the request; *status is set when the
 * target is refused (400, 414), and NULL is returned then, too. */
struct http_file_answer *http_file_answer_create(const struct http_service *service,
                                                 struct io_source *peer,
                                                 const struct http_request *request,
                                                 enum http_connection connection,
                                                 struct time_limit *limit, int *status);

#endif
