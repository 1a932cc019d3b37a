/* Hidden test of exercise 3.1: a slot of the submission queue is written over while the
 * kernel may still read it, unless the program sees in the right way that it is
 * free. */
#include <pthread.h>
#include <sched.h>

#include "common/explore/explore.h"
#include "lesson03_iouring/exercises/fake_kernel.h"

static struct fake_kernel kernel;
static struct raw_ring ring;

int raw_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags)
{
    (void)fd;
    (void)wait_for;
    (void)flags;
    return (int)to_submit;
}

static void *take_two(void *unused)
{
    struct io_uring_sqe request = { 0 };
    explore_name("kernel");
    for (uint64_t i = 1; i <= 2; i++) {
        while (!kernel_take(&kernel, &ring, &request))
            sched_yield();
        EXPLORE_RULE("C6", request.user_data == i,
                     "request %llu: the kernel took user_data %llu",
                     (unsigned long long)i, (unsigned long long)request.user_data);
    }
    return unused;
}

static void refill_against_kernel(void)
{
    pthread_t other;
    explore_name("program");
    fake_kernel_init(&kernel, &ring, 1, 0);
    pthread_create(&other, NULL, take_two, NULL);
    for (uint64_t i = 1; i <= 2; i++)
        while (raw_ring_nop(&ring, i) == -EBUSY)
            sched_yield();
    pthread_join(other, NULL);
}

EXPLORE_MAIN({ .name = "refill_against_kernel",
               .scenario = refill_against_kernel,
               .rules = "C6",
               .models = 7 }, )
