/* limits_offers: which limit is known for which work. */
#include "common/container.h"
#include "lesson08_compare/limits.h"

static const char *const modes[] = { "threads", "spin",    "pread", "uring",
                                     "array",   "msgring", "call",  NULL };
enum {
    THREADS = 1 << 0,
    SPIN = 1 << 1,
    PREAD = 1 << 2,
    URING = 1 << 3,
    ARRAY = 1 << 4,
    MSGRING = 1 << 5,
    CALL = 1 << 6
};

/* Threads are dear: fewer of them than of tasks. */
static const struct work_offer offers[] = {
    { "spawn", 10000, 0, THREADS, limit_threads_spawn },
    { "ping-pong", 10000, 1000, THREADS, limit_threads_ping_pong },
    { "round-trip", 100000, 0, THREADS, limit_threads_round_trip },
    { "mpsc", 1000000, 5000, THREADS, limit_threads_mpsc },
    { "mpsc-contended", 1000000, 5, THREADS, limit_threads_mpsc_contended },
    { "wake", 20000, 0, THREADS, limit_futex_wake },
    { "wake", 20000, 0, SPIN, limit_spin_wake },
    { "read", 100000, 0, PREAD, limit_pread },
    { "read", 100000, 0, URING, limit_uring_read },
    { "timers", 1000000, 0, ARRAY, limit_array_timers },
    { "wake", 20000, 0, MSGRING, limit_msgring_wake },
    { "fib", 27, 0, CALL, limit_call_fib },
    { "skynet", 1000000, 0, CALL, limit_call_skynet },
    { "tree", 2000, 0, CALL, limit_call_tree },
    { "startup", 1, 0, CALL, limit_call_startup },
};

const struct work_program limits_program = {
    .name = "limits",
    .runtime = "limits",
    .version = "course",
    .modes = modes,
    .offers = offers,
    .offer_count = ARRAY_SIZE(offers),
};
