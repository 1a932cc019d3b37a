/* right_answer: the workloads done without any runtime.
 *
 * A contestant that skips work is fast. Comparing contestants with one another would
 * find that somebody is wrong, but not who, and not if all make the same mistake. Every
 * workload's answer is cheap to compute without tasks, so the lab does. */
#include "lesson08_compare/right_answer.h"

#include <stddef.h>
#include <string.h>

#include "common/container.h"

uint64_t right_answer_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static uint64_t fib(uint64_t n)
{
    uint64_t a = 0, b = 1;
    for (; n > 0; n--) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

/* Nodes of the unbalanced tree. The mean number of children is 0.992, so a tree may be
 * large but not deep; recursion is a stack frame of a few words a level. */
static uint64_t nodes(uint64_t id, uint64_t children)
{
    uint64_t count = 1;
    for (uint64_t k = 0; k < children; k++) {
        uint64_t child = right_answer_mix(id + k + 1);
        count += nodes(child, right_answer_mix(child) % 1000 < 124 ? 8 : 0);
    }
    return count;
}

static uint64_t skynet_tasks(uint64_t leaves)
{
    uint64_t tasks = 0;
    for (; leaves > 0; leaves /= 10)
        tasks += leaves;
    return tasks;
}

static uint64_t sum_of_reads(uint64_t reads, uint64_t blocks)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < reads && blocks > 0; i++)
        sum += right_answer_mix(i) % blocks;
    return sum;
}

/* Rows whose answers are n, times something, and a sum or n again. */
static const struct plain {
    const char *workload;
    uint64_t times; /* ops = n * times */
    bool sum;       /* check: 0 + 1 + ... + n - 1, else the same as ops */
} plain[] = {
    { "spawn", 1, true },       { "spawn-idle", 1, false },
    { "spawn-busy", 1, false }, { "yield", 200, false },
    { "ping-pong", 1, false },  { "chain", 1, false },
    { "mpsc", 1, true },        { "mpsc-contended", 1, true },
    { "timers", 1, false },     { "timer-churn", 1, false },
    { "parked", 1, false },     { "wake", 1, false },
    { "jitter", 64, false },    { "startup", 1, false },
};

static bool plain_answer(const char *workload, uint64_t n, struct right_answer *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (strcmp(plain[i].workload, workload) == 0) {
            answer->ops = n * plain[i].times;
            answer->check = plain[i].sum ? n * (n - 1) / 2 : answer->ops;
            return true;
        }
    return false;
}

bool right_answer(const char *workload, uint64_t n, uint64_t threads, uint64_t depth,
                  uint64_t blocks, struct right_answer *answer)
{
    if (plain_answer(workload, n, answer))
        return true;
    if (strcmp(workload, "remote-spawn") == 0)
        answer->ops = answer->check = n / threads * threads;
    else if (strcmp(workload, "round-trip") == 0)
        *answer = (struct right_answer){ n, n * (n + 1) / 2 };
    else if (strcmp(workload, "fib") == 0)
        *answer = (struct right_answer){ fib(n + 1) - 1, fib(n) };
    else if (strcmp(workload, "skynet") == 0)
        *answer = (struct right_answer){ skynet_tasks(n), n * (n - 1) / 2 };
    else if (strcmp(workload, "tree") == 0)
        answer->ops = answer->check = nodes(0, n);
    else if (strcmp(workload, "read") == 0)
        *answer = (struct right_answer){ n / depth * depth,
                                         sum_of_reads(n / depth * depth, blocks) };
    else if (strcmp(workload, "hog") == 0)
        *answer = (struct right_answer){ n, sum_of_reads(n, blocks) };
    else
        return false;
    return true;
}
