/* load: the clock of the load generator.
 *
 * A run has three parts: warm-up (sent, not measured), the measured time, and a tail of
 * at most TAIL_NS in which nothing new is sent but what is out may come back. The tail
 * is there for honesty: without it, exactly the requests that hang would be left out of
 * the percentiles. An open loop also sends in it what fell due before the end. What is
 * still out when the tail ends is an error.
 *
 * Open loop: `due` counts the requests whose time has come; connection i owns those
 * whose number is i modulo the number of connections. A connection that is still busy
 * when its next request falls due sends it later, but the latency counts from
 * `load_due_at`, which depends on nothing that the server does. That is the whole cure
 * for coordinated omission.
 *
 * The event loop looks at the clock once a batch of events, and the batch is small, so
 * that the generator's own delay stays out of the latencies as far as it can; `lag`
 * records how late it sent, and the report shows it. */
#include "lesson08_compare/load_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/process.h"

#define EVENTS_AT_ONCE 64
#define TAIL_NS (3 * NS_PER_S)

uint64_t load_due_at(const struct load *load, const struct load_connection *c,
                     uint64_t n)
{
    /* In floating point: k * 1e9 overflows 64 bits after 18 billion requests, and a
     * double is exact to the nanosecond for runs of 100 days. */
    double k = (double)n * load->plan->connections;
    if (!load->plan->burst)
        k += c->index;
    return load->start + (uint64_t)(k * 1e9 / (double)load->plan->rate);
}

/* Begins the connection's next request if there is one to begin. */
static void begin(struct load *load, struct load_connection *c, uint64_t now)
{
    if (c->busy || c->fd < 0)
        return;
    if (load->plan->rate > 0) {
        uint64_t due = load_due_at(load, c, c->started);
        if (due > now || due >= load->measure_to)
            return; /* but what fell due before the end is sent, even after it */
        c->since = due;
        histogram_add(&load->result->lag, now - due);
    } else {
        if (load->stopping)
            return;
        c->since = now;
    }
    c->started++;
    c->busy = true;
    c->sent = c->got = 0;
    load->busy++;
    load_send(load, c);
}

static void finish(struct load *load, struct load_connection *c, uint64_t now)
{
    struct load_result *result = load->result;
    c->busy = false;
    load->busy--;
    result->all_requests++;
    uint64_t counts_at = load->plan->rate > 0 ? c->since : now;
    if (counts_at >= load->measure_from && c->since < load->measure_to)
        histogram_add(&result->latency, now - c->since);
    if (now < load->measure_from || now >= load->measure_to)
        return;
    result->requests++;
    c->measured++;
    if (load->plan->requests > 0 && result->requests >= load->plan->requests) {
        load->measure_to = now;
        load->stopping = true;
    }
}

static void on_event(struct load *load, struct load_connection *c, uint32_t events,
                     uint64_t now)
{
    if (c->fd < 0)
        return;
    if (c->busy && c->sent < load->message_size)
        load_send(load, c);
    if (c->fd < 0 || !(events & ~(uint32_t)EPOLLOUT))
        return;
    if (load_receive(load, c)) {
        finish(load, c, now);
        begin(load, c, now);
    }
}

/* Open loop: begins what has become due since the last look; returns when the next one
 * will be due, CLOCK_NEVER if that is after the end. */
static uint64_t begin_due(struct load *load, uint64_t now)
{
    unsigned connections = load->plan->connections;
    for (;;) {
        struct load_connection *c = &load->connections[load->due % connections];
        uint64_t due = load_due_at(load, c, load->due / connections);
        if (due >= load->measure_to)
            return CLOCK_NEVER;
        if (due > now)
            return due;
        load->due++;
        begin(load, c, now);
    }
}

static int wait_for_events(struct load *load, struct epoll_event *events,
                           uint64_t until)
{
    uint64_t now = clock_now();
    uint64_t ns = until > now ? until - now : 0;
    struct timespec time = { .tv_sec = (time_t)(ns / NS_PER_S),
                             .tv_nsec = (long)(ns % NS_PER_S) };
    int n = -1;
    if (!load->coarse)
        n = epoll_pwait2(load->epoll, events, EVENTS_AT_ONCE, &time, NULL);
    if (n < 0 && !load->coarse && (errno == ENOSYS || errno == EPERM))
        load->coarse = true;
    if (load->coarse)
        n = epoll_wait(load->epoll, events, EVENTS_AT_ONCE,
                       (int)((ns + NS_PER_MS - 1) / NS_PER_MS));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n;
}

/* One turn of the loop: begin what is due, wait until `until` at the latest, handle what
 * came. */
static int turn(struct load *load, uint64_t until)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    if (load->plan->rate > 0) {
        uint64_t due = begin_due(load, clock_now());
        if (due < until)
            until = due;
    }
    int n = wait_for_events(load, events, until);
    uint64_t now = clock_now();
    for (int i = 0; i < n; i++)
        on_event(load, events[i].data.ptr, events[i].events, now);
    return n < 0 ? n : 0;
}

static int compare_counts(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* How evenly the server treated its connections. */
static int judge_fairness(struct load *load)
{
    unsigned n = load->plan->connections;
    uint64_t *counts = calloc(n, sizeof *counts);
    if (!counts)
        return -ENOMEM; /* zeros would pass for a measurement */
    for (unsigned i = 0; i < n; i++)
        counts[i] = load->connections[i].measured;
    qsort(counts, n, sizeof *counts, compare_counts);
    load->result->fair_min = counts[0];
    load->result->fair_median = counts[n / 2];
    load->result->fair_max = counts[n - 1];
    free(counts);
    return 0;
}

static int run(struct load *load)
{
    const struct load_plan *plan = load->plan;
    struct load_result *result = load->result;
    int err = 0;
    load->measure_from = load->measure_to = CLOCK_NEVER;
    if (plan->rate == 0) /* the first burst may take long; it is part of the warm-up */
        for (unsigned i = 0; i < plan->connections; i++)
            begin(load, &load->connections[i], clock_now());
    load->start = clock_now();
    load->measure_from = load->start + plan->warmup_ns;
    if (plan->duration_ns)
        load->measure_to = load->measure_from + plan->duration_ns;
    while (err == 0 && load->alive > 0 && clock_now() < load->measure_from)
        err = turn(load, load->measure_from);
    uint64_t cpu_before = clock_process_cpu();
    uint64_t watch_before = plan->watch ? process_cpu_ns(plan->watch) : 0;
    /* A turn a second at least: a count may end the run from inside one. */
    uint64_t now = clock_now();
    while (err == 0 && load->alive > 0 && now < load->measure_to) {
        uint64_t soon = now + NS_PER_S;
        err = turn(load, soon < load->measure_to ? soon : load->measure_to);
        now = clock_now();
    }
    result->cpu_ns = clock_process_cpu() - cpu_before;
    if (plan->watch)
        result->watch_cpu_ns = process_cpu_ns(plan->watch) - watch_before;
    uint64_t end = now < load->measure_to ? now : load->measure_to;
    result->elapsed_ns = end > load->measure_from ? end - load->measure_from : 0;
    load->stopping = true;
    if (err == 0 && plan->rate > 0)
        begin_due(load, now);
    uint64_t give_up = clock_now() + TAIL_NS;
    while (err == 0 && load->busy > 0 && clock_now() < give_up)
        err = turn(load, give_up);
    return err;
}

static void note_what_never_came_back(struct load *load)
{
    if (load->busy == 0)
        return;
    load->result->errors += load->busy;
    if (!load->result->error[0])
        snprintf(load->result->error, sizeof load->result->error,
                 "%u requests were not answered within %d s after the end", load->busy,
                 (int)(TAIL_NS / NS_PER_S));
}

static int prepare_bytes(struct load *load)
{
    if (load->plan->proto == WORKLOAD_HTTP) {
        load->message = WORKLOAD_REQUEST;
        load->message_size = sizeof WORKLOAD_REQUEST - 1;
        load->answer_size = WORKLOAD_RESPONSE_SIZE;
        return 0;
    }
    load->pattern = malloc(load->plan->size);
    if (!load->pattern)
        return -ENOMEM;
    for (unsigned i = 0; i < load->plan->size; i++)
        load->pattern[i] = (char)('a' + i % 26);
    load->message = load->answer = load->pattern;
    load->message_size = load->answer_size = load->plan->size;
    return 0;
}

/* An open loop wants to be on time. The slack is the calling thread's, and whatever it
 * starts later inherits it: a contestant with many timers took twice its CPU time with the
 * generator's. So it is put back. */
static int run_on_time(struct load *load)
{
    int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    int err = run(load);
    if (slack > 0)
        prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
    return err;
}

int load_run(const struct load_plan *plan, struct load_result *result)
{
    memset(result, 0, sizeof *result);
    struct load load = { .plan = plan, .result = result };
    load.connections = calloc(plan->connections, sizeof *load.connections);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    int err = load.epoll < 0 ? -errno : 0;
    if (!load.connections)
        err = -ENOMEM;
    if (err == 0)
        err = prepare_bytes(&load);
    if (err == 0) {
        for (unsigned i = 0; i < plan->connections; i++)
            load.connections[i].fd = -1;
        err = load_connect_all(&load);
        if (err == 0)
            err = run_on_time(&load);
        if (err == 0) {
            note_what_never_came_back(&load);
            err = judge_fairness(&load);
        }
        load_disconnect_all(&load);
    }
    if (err < 0 && !result->error[0])
        snprintf(result->error, sizeof result->error, "%s (%s)", errtext(err),
                 errname(err));
    if (load.epoll >= 0)
        close(load.epoll);
    free(load.connections);
    free(load.pattern);
    return err;
}
