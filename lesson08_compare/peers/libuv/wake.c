/* wake: two loops on two threads, each of which wakes the other.
 *
 * uv_async_send is what libuv has for this, and the only function of a loop that another
 * thread may call. It is the flag and the stored waker in one. */
#include "lesson08_compare/peers/libuv/peer.h"

#include <stdlib.h>

struct wake {
    uv_async_t near; /* rings in the loop of the first callback, which counts */
    uv_async_t far;  /* rings in the other one */
    uv_loop_t far_loop;
    uv_thread_t thread; /* of far_loop */
    struct run *run;
    uint64_t rung_at; /* ns */
};

static void ring(struct wake *wake)
{
    wake->rung_at = peer_clock(CLOCK_MONOTONIC);
    uv_async_send(&wake->far);
}

static void near_rings(uv_async_t *bell)
{
    struct wake *wake = bell->data;
    struct run *run = wake->run;
    if (wake->rung_at == 0) { /* the other loop is up; from now on it counts */
        run->started = peer_times();
        ring(wake);
        return;
    }
    histogram_add(run->latencies, peer_clock(CLOCK_MONOTONIC) - wake->rung_at);
    run->check++;
    if (run->check < run->n)
        ring(wake);
    else
        peer_done(run);
}

static void far_rings(uv_async_t *bell)
{
    struct wake *wake = bell->data;
    uv_async_send(&wake->near);
}

static void far_main(void *arg)
{
    struct wake *wake = arg;
    uv_run(&wake->far_loop, UV_RUN_DEFAULT); /* until the process ends */
}

void start_wake(struct run *run)
{
    struct wake *wake = peer_alloc(1, sizeof *wake);
    int err = uv_loop_init(&wake->far_loop);
    if (err == 0)
        err = uv_async_init(run->loop, &wake->near, near_rings);
    if (err == 0)
        err = uv_async_init(&wake->far_loop, &wake->far, far_rings);
    wake->run = run;
    wake->near.data = wake->far.data = wake;
    run->latencies = peer_alloc(1, sizeof *run->latencies);
    run->ops = run->n;
    if (err == 0)
        err = uv_thread_create(&wake->thread, far_main, wake);
    if (err < 0)
        peer_fail(run, "no second loop", err);
    else
        uv_async_send(&wake->far);
}
