/* base: what the three baselines share - options, the listening socket, the way out.
 *
 * A baseline is a server written directly on the kernel's interface, without futures,
 * tasks or runtime: the least that can be done. What a runtime costs is what it needs
 * beyond that.
 *
 * Every baseline: --port P (0 picks one) --proto echo|http --stats --help; prints
 * "listening on 127.0.0.1:PORT"; SIGTERM or SIGINT ends it with exit status 0; status 1
 * and one sentence for a failure, 2 for wrong options.
 *
 * Threads: the loop's own. */
#ifndef LESSON08_BASE_H
#define LESSON08_BASE_H

#include "lesson08_compare/workload.h"

struct base {
    enum workload_proto proto;
    int listener; /* owns; non-blocking listening socket on 127.0.0.1 */
    int signals;  /* owns; signalfd, readable when it is time to go */
    uint16_t port;
    struct served served;
};

/* Options, socket, `serve`, statistics. `serve` prepares, announces, and serves; it
 * returns 0 once base->signals became readable, or a negative errno after a sentence on
 * stderr. Returns the exit status. */
int base_main(int argc, char **argv, const char *about,
              int (*serve)(struct base *base));

/* Says where the server listens; for `serve`, once nothing can go wrong any more. */
void base_announce(const struct base *base);

/* One sentence on stderr: "NAME: what: reason". Returns err. */
int base_fail(const char *what, int err);

#endif
