/* lab_contestants: who competes.
 *
 * The matrix separates two questions that published comparisons mix: what comes from the
 * scheduler (read along one driver) and what from the I/O backend (compare a cell with
 * the raw loop of its own backend, never with the other's).
 *
 * The peers are the runtimes that people use, each in the mode that its documentation
 * leads to, and where it has two, in both. A limit is no runtime at all: the cheapest way
 * that we know to do the same work, so that the table has a bottom.
 *
 * A peer is divided by the raw loop on its own backend, as ours are: libuv, Go and Tokio
 * stand on epoll, glommio and monoio on io_uring. */
#include "lesson08_compare/lab.h"

#include <string.h>

#include "common/check.h"
#include "common/container.h"

enum { RAW_EPOLL, RAW_URING };

#define BASELINE(driver_, server_, raw)                                                \
    .kind = LAB_BASELINE, .driver = (driver_), .server = (server_), .baseline = (raw)
#define CELL(scheduler_, driver_, raw)                                                 \
    .kind = LAB_CELL, .scheduler = (scheduler_), .driver = (driver_),                  \
    .program = "work", .mode = scheduler_ "/" driver_, .baseline = (raw),              \
    .echo = "echo", .web = "hello"
/* The same cell with the whole web server: strict parser, time limits, files. */
#define HTTPD(scheduler_, driver_, raw)                                                \
    .kind = LAB_CELL, .scheduler = (scheduler_), .driver = (driver_),                  \
    .baseline = (raw), .web = "httpd"
#define PEER(program_, mode_, driver_, raw)                                            \
    .kind = LAB_PEER, .driver = (driver_), .program = "peer_" program_,                \
    .mode = (mode_), .baseline = (raw)
#define LIMIT(mode_)                                                                   \
    {                                                                                  \
        "limit/" mode_, .kind = LAB_LIMIT, .program = "limits", .mode = (mode_)        \
    }
#define WEIGHED(name) .product = (name)

/* clang-format off */
const struct lab_contestant lab_contestants[] = {
    { "raw-epoll", BASELINE("epoll", "base_epoll", RAW_EPOLL) },
    { "raw-uring", BASELINE("uring", "base_uring", RAW_URING) },
    { "threads", BASELINE("epoll", "base_threads", RAW_EPOLL) },
    { "current/epoll", CELL("current", "epoll", RAW_EPOLL) },
    { "steal/epoll", CELL("steal", "epoll", RAW_EPOLL), .many = true, WEIGHED("ours") },
    { "core/epoll", CELL("core", "epoll", RAW_EPOLL) },
    { "current/uring", CELL("current", "uring", RAW_URING) },
    { "steal/uring", CELL("steal", "uring", RAW_URING), .many = true },
    { "core/uring", CELL("core", "uring", RAW_URING) },
    { "httpd/steal", HTTPD("steal", "epoll", RAW_EPOLL) },
    { "httpd/core", HTTPD("core", "uring", RAW_URING) },
    { "tokio/multi", PEER("tokio", "multi", "epoll", RAW_EPOLL), .many = true,
      WEIGHED("tokio") },
    { "tokio/current", PEER("tokio", "current", "epoll", RAW_EPOLL) },
    { "async-std", PEER("async_std", "multi", "epoll", RAW_EPOLL), .many = true,
      WEIGHED("async_std") },
    { "smol/multi", PEER("smol", "multi", "epoll", RAW_EPOLL), .many = true,
      WEIGHED("smol") },
    { "smol/local", PEER("smol", "local", "epoll", RAW_EPOLL) },
    { "glommio", PEER("glommio", "core", "uring", RAW_URING), WEIGHED("glommio") },
    { "monoio/uring", PEER("monoio", "uring", "uring", RAW_URING), WEIGHED("monoio") },
    { "monoio/legacy", PEER("monoio", "legacy", "epoll", RAW_EPOLL) },
    { "libuv", PEER("libuv", "loop", "epoll", RAW_EPOLL), WEIGHED("libuv") },
    { "go", PEER("go", "go", "epoll", RAW_EPOLL), .many = true, .uncountable = true,
      WEIGHED("go") },
    LIMIT("threads"),
    LIMIT("spin"),
    LIMIT("pread"),
    LIMIT("uring"),
    LIMIT("array"),
    LIMIT("msgring"),
    LIMIT("call"),
};
/* clang-format on */
const int lab_contestant_count = (int)ARRAY_SIZE(lab_contestants);
_Static_assert(ARRAY_SIZE(lab_contestants) <= LAB_CONTESTANTS_MAX, "too many");

const char *lab_server(int row, int contestant)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    bool http = lab_rows[row].proto == WORKLOAD_HTTP;
    if (c->kind == LAB_PEER)
        return c->program;
    return c->server ? c->server : http ? c->web : c->echo;
}

int lab_contestant_named(const char *name)
{
    for (int c = 0; c < lab_contestant_count; c++)
        if (strcmp(lab_contestants[c].name, name) == 0)
            return c;
    return -1;
}
