/* The two queues of a raw ring, in every order that program and kernel may take: the
 * kernel is a thread here. */
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

/* A kernel that polls the queue (as the one of IORING_SETUP_SQPOLL does). */
static void *take_one(void *unused)
{
    struct io_uring_sqe request = { 0 };
    explore_name("kernel");
    if (kernel_take(&kernel, &ring, &request))
        EXPLORE_RULE(
            "C6", request.opcode == IORING_OP_NOP && request.user_data == 1,
            "the kernel took opcode %u with user_data %llu, expected a nop with "
            "1",
            request.opcode, (unsigned long long)request.user_data);
    return unused;
}

/* The kernel may look at any time: what it sees must be whole. */
static void submit_against_kernel(void)
{
    pthread_t other;
    explore_name("program");
    fake_kernel_init(&kernel, &ring, 2, 0);
    pthread_create(&other, NULL, take_one, NULL);
    raw_ring_nop(&ring, 1);
    pthread_join(other, NULL);
}

static void *answer_two(void *unused)
{
    explore_name("kernel");
    for (uint64_t i = 1; i <= 2; i++)
        while (!kernel_answer(&kernel, &ring, i, (int)i, 0))
            sched_yield();
    return unused;
}

/* One slot, two answers: the second one overwrites the first as soon as it may. */
static void reap_against_kernel(void)
{
    pthread_t other;
    struct raw_completion done;
    explore_name("program");
    fake_kernel_init(&kernel, &ring, 1, 0);
    pthread_create(&other, NULL, answer_two, NULL);
    for (uint64_t i = 1; i <= 2; i++) {
        while (!raw_ring_pop(&ring, &done))
            sched_yield();
        EXPLORE_RULE("C8", done.user_data == i && done.result == (int)i,
                     "completion %llu: popped user_data %llu with result %d",
                     (unsigned long long)i, (unsigned long long)done.user_data,
                     done.result);
    }
    pthread_join(other, NULL);
}

EXPLORE_MAIN({ .name = "submit_against_kernel",
               .scenario = submit_against_kernel,
               .rules = "C6",
               .models = 7 },
             { .name = "reap_against_kernel",
               .scenario = reap_against_kernel,
               .rules = "C8",
               .models = 7 }, )
