/* deque_testing: what the two test programs of the deque share: numbered items in place
 * of tasks, and a thief that is held up at the worst moment. */
#ifndef LESSON06_DEQUE_TESTING_H
#define LESSON06_DEQUE_TESTING_H

#include "lesson06_worksteal/pause_testing.h"

#include "lesson06_worksteal/deque.h"

static inline struct task *item(uintptr_t number)
{
    return (struct task *)(number + 1); /* never looked into; never NULL */
}

static inline uintptr_t number_of(struct task *task)
{
    return (uintptr_t)task - 1;
}

/* A thief that is stopped after it read the oldest task, before it claims it. */
struct paused_thief {
    struct deque *deque;
    struct task *got;
    pthread_t thread;
};

static inline void *paused_thief_main(void *argument)
{
    struct paused_thief *thief = argument;
    pause_set_trap("claim: tasks read, not yet ours");
    thief->got = deque_steal(thief->deque);
    return NULL;
}

static inline void paused_thief_start(struct paused_thief *thief, struct deque *deque)
{
    thief->deque = deque;
    atomic_store_explicit(&pause_reached, false, memory_order_relaxed);
    assert_int_equal(pthread_create(&thief->thread, NULL, paused_thief_main, thief), 0);
    WAIT_UNTIL(pause_is_reached());
}

static inline void paused_thief_finish(struct paused_thief *thief)
{
    pause_release();
    pthread_join(thief->thread, NULL);
}

#endif
