/* work_offers: what our runtime offers, in each of its six cells.
 *
 * `wake` is about two runtimes of one thread each, so only `current` has it. The servers
 * are programs of their own: echo and httpd. */
#include "lesson08_compare/work_runtime.h"

static const struct work_offer offers[] = {
    { "spawn", 1000000, 0, WORK_EVERY_MODE, work_spawn },
    { "yield", 1000, 0, WORK_EVERY_MODE, work_yield },
    { "ping-pong", 100000, 1000, WORK_EVERY_MODE, work_ping_pong },
    { "round-trip", 1000000, 0, WORK_EVERY_MODE, work_round_trip },
    { "chain", 1000000, 1000, WORK_EVERY_MODE, work_chain },
    { "mpsc", 1000000, 5000, WORK_EVERY_MODE, work_mpsc },
    { "mpsc-contended", 1000000, 5, WORK_EVERY_MODE, work_mpsc_contended },
    { "fib", 27, 0, WORK_EVERY_MODE, work_fib },
    { "skynet", 1000000, 0, WORK_EVERY_MODE, work_skynet },
    { "tree", 2000, 0, WORK_EVERY_MODE, work_tree },
    { "timers", 1000000, 0, WORK_EVERY_MODE, work_timers },
    { "timer-churn", 1000000, 100, WORK_EVERY_MODE, work_timer_churn },
    { "parked", 1000000, 0, WORK_EVERY_MODE, work_parked },
    { "jitter", 500, 0, WORK_EVERY_MODE, work_jitter },
    { "spawn-idle", 10000, 0, WORK_EVERY_MODE, work_spawn_idle },
    { "spawn-busy", 10000, 0, WORK_EVERY_MODE, work_spawn_busy },
    { "remote-spawn", 80000, 0, WORK_EVERY_MODE, work_remote_spawn },
    { "wake", 20000, 0, WORK_CURRENT, work_wake },
    { "read", 100000, 0, WORK_EVERY_MODE, work_read },
    { "hog", 2000, 0, WORK_EVERY_MODE, work_hog },
    { "startup", 1, 0, WORK_EVERY_MODE, work_startup },
    { "panic", 0, 0, WORK_EVERY_MODE, work_demo_panic },
    { "cancel", 0, 0, WORK_EVERY_MODE, work_demo_cancel },
    { "drop", 0, 0, WORK_EVERY_MODE, work_demo_drop },
    { "mix", 0, 0, WORK_EVERY_MODE, work_demo_mix },
};

const struct work_program work_program = {
    .name = "work",
    .runtime = "ours",
    .version = "course",
    .modes = work_modes,
    .offers = offers,
    .offer_count = ARRAY_SIZE(offers),
    .problem = work_config_problem,
};
