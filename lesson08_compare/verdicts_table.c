/* verdicts_table: the questions, and whose answer needs a footnote.
 *
 * System calls are compared on the same driver only: one io_uring_enter carries many
 * operations, so across drivers the number compares kernels' interfaces. CPU time and
 * instructions are compared across, that is what a user pays. */
#include "lesson08_compare/verdicts.h"

#include <string.h>

#include "common/container.h"

#define TASKS(against, limit)                                                          \
    { "spawn", BY_METRIC, against, limit, NULL },                                      \
        { "yield", BY_METRIC, against, limit, NULL },                                  \
        { "ping-pong", BY_METRIC, against, limit, NULL },                              \
        { "round-trip", BY_METRIC, against, limit, NULL },                             \
        { "chain", BY_METRIC, against, limit, NULL },                                  \
        { "fib", BY_METRIC, against, limit, NULL },                                    \
        { "timers", BY_METRIC, against, limit, NULL },                                 \
    {                                                                                  \
        "parked", BY_METRIC, against, limit, NULL                                      \
    }
#define SERVED(row)                                                                    \
    { row, BY_CPU, AGAINST_PEERS, 1, NULL },                                           \
        { row, BY_SYSCALLS, AGAINST_PEERS, 1, "epoll" },                               \
    {                                                                                  \
        row, BY_SYSCALLS, AGAINST_PEERS, 1, "uring"                                    \
    }
#define COUNTED(row)                                                                   \
    {                                                                                  \
        row, BY_INSTRUCTIONS, AGAINST_PEERS, 1, NULL                                   \
    }
#define RAW(row, driver)                                                               \
    { row, BY_SYSCALLS, AGAINST_RAW, 1, driver },                                      \
    {                                                                                  \
        row, BY_CPU, AGAINST_RAW, 1.10, driver                                         \
    }

/* clang-format off */
static const struct verdict_question best_peer[] = {
    TASKS(AGAINST_PEERS, 1),
    { "read-64", BY_METRIC, AGAINST_PEERS, 1, NULL },
    { "direct-64", BY_METRIC, AGAINST_PEERS, 1, NULL },
    { "wake", BY_METRIC, AGAINST_PEERS, 1, NULL },
};
static const struct verdict_question tokio[] = { TASKS(AGAINST_TOKIO, 0.80) };
static const struct verdict_question servers[] = {
    SERVED("echo-64"), COUNTED("echo-64"),
    SERVED("echo-1000"), COUNTED("echo-1000"),
    SERVED("http-64"), COUNTED("http-64"),
    SERVED("http-256"),
};
static const struct verdict_question raw[] = {
    RAW("echo-64-paced", "epoll"), RAW("echo-64-paced", "uring"),
    RAW("http-64-paced", "epoll"), RAW("http-64-paced", "uring"),
    { "read-64", BY_METRIC, AGAINST_LIMIT_URING, 1.10, NULL },
    { "direct-64", BY_METRIC, AGAINST_LIMIT_URING, 1.10, NULL },
};
static const struct verdict_question fair[] = {
    { "echo-1000", BY_UNFAIRNESS, AGAINST_RAW, 1, "epoll" },
    { "echo-1000", BY_UNFAIRNESS, AGAINST_RAW, 1, "uring" },
};
/* clang-format on */

#define GROUP(title_, list)                                                            \
    {                                                                                  \
        title_, list, (int)ARRAY_SIZE(list)                                            \
    }

const struct verdict_group verdict_groups[] = {
    GROUP("the best peer", best_peer),
    GROUP("Tokio, the better of its two modes", tokio),
    GROUP("servers, a request (syscalls: peers on the same driver)", servers),
    GROUP("without a runtime, on the same driver", raw),
    GROUP("fairness: (most - least) / median requests a connection", fair),
};
const int verdict_group_count = (int)ARRAY_SIZE(verdict_groups);

/* glommio polls a spawned task within spawn (the child runs in place). */
static bool calls(const char *workload)
{
    static const char *const rows[] = { "chain", "fib", "skynet", "tree" };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(rows[i], workload) == 0)
            return true;
    return false;
}

bool verdict_marked(int row, int contestant)
{
    const char *name = lab_contestants[contestant].name;
    const char *workload = lab_rows[row].workload;
    if (!workload)
        return false;
    if (strcmp(name, "glommio") == 0)
        return calls(workload);
    if (strcmp(name, "monoio/legacy") == 0 || strcmp(name, "go") == 0)
        return strcmp(workload, "read") == 0;
    return false;
}
