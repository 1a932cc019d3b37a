/* server: what every server program of the course does around its protocol.
 *
 * Options, the runtime, one listener a lane, an accept loop that survives a full
 * descriptor table, and an end in order on SIGTERM or SIGINT. A protocol is one
 * constructor: "serve this connection".
 *
 * Ownership: borrows the struct server for as long as server_main runs. Threads: main. */
#ifndef LESSON07_SERVER_H
#define LESSON07_SERVER_H

#include "lesson07_custom/runtime.h"

struct server {
    const char *name;    /* of the program */
    const char *purpose; /* one line for --help */
    /* More options of its own for --help, or NULL. */
    const char *more_help;
    /* Takes an option that the common ones do not know; name is without dashes. False:
     * it does not exist. May be NULL. */
    bool (*option)(struct server *server, const char *name, const char *value);
    /* Checks what `option` collected and opens what the server needs; prints one
     * sentence and returns false when it is of no use. May be NULL. */
    bool (*prepare)(struct server *server);
    /* Spawns the task that serves a connection, on the calling lane; consumes the
     * source if it returns 0. The task calls runtime_count for each request. */
    int (*serve)(struct server *server, struct io_source *source);
};

/* For an option's value: milliseconds, 1 to a day, as nanoseconds. */
bool server_option_ms(const char *text, uint64_t *ns);

/* Parses the options, serves until SIGTERM or SIGINT, and returns the exit status: 0,
 * 1 (it failed at work) or 2 (wrong use). */
int server_main(struct server *server, int argc, char **argv);

#endif
