/* Every order of steps of a read-write lock: who is inside, who waits, and who gives up. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/rwlock.h"

static struct rwlock lock;
static struct sleeper sleepers[2];
static struct rwlock_wait waits[2];
static int guarded; /* plain: by the lock */
static int seen;    /* by the one reader */

static void open_lock(bool first_writes, bool second_writes)
{
    rwlock_init(&lock);
    waits[0] = first_writes ? rwlock_write(&lock) : rwlock_read(&lock);
    waits[1] = second_writes ? rwlock_write(&lock) : rwlock_read(&lock);
    for (int i = 0; i < 2; i++)
        sleepers[i].waiter = &waits[i].waiter;
}

static void use(int which)
{
    if (waits[which].writes) {
        guarded++;
        rwlock_unlock_write(&lock);
    } else {
        seen = guarded;
        rwlock_unlock_read(&lock);
    }
}

/* Polls; uses it if it is there. */
static void poll_and_use(int which)
{
    if (sleeper_poll(&sleepers[which], &waits[which].future))
        use(which);
}

/* Who was woken only now is inside now. */
static void close_lock(const char *rule)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < 2; i++) {
            if (!sleepers[i].future)
                continue;
            sleepers_run(&sleepers[i], 1);
            if (sleepers[i].future || waits[i].result < 0)
                continue;
            use(i);
            again = true;
        }
    }
    sleepers_end(sleepers, 2, rule);
    rwlock_finish(&lock);
}

static void *first(void *unused)
{
    explore_name("first");
    poll_and_use(0);
    return unused;
}

static void two_meet(bool first_writes, bool second_writes)
{
    pthread_t other;
    explore_name("second");
    open_lock(first_writes, second_writes);
    pthread_create(&other, NULL, first, NULL);
    poll_and_use(1);
    pthread_join(other, NULL);
    close_lock("W1");
    EXPLORE_RULE("lock", guarded == first_writes + second_writes, "%d writes were seen",
                 guarded);
    EXPLORE_RULE("lock", seen <= guarded, "%d of %d writes were seen", seen, guarded);
}

static void writer_against_writer(void)
{
    two_meet(true, true);
}

static void reader_against_writer(void)
{
    two_meet(false, true);
}

static void *unlock_write(void *unused)
{
    explore_name("holder");
    guarded++;
    rwlock_unlock_write(&lock);
    return unused;
}

static void *cancel_writer(void *unused)
{
    explore_name("cancelled");
    sleeper_cancel(&sleepers[0]);
    return unused;
}

/* A writer is first in line and is cancelled while it is let in: the reader behind it is
 * let in. */
static void cancelled_writer_lets_the_reader_in(void)
{
    pthread_t other;
    explore_name("holder");
    open_lock(true, false);
    rwlock_try_write(&lock);
    sleeper_poll(&sleepers[0], &waits[0].future);
    sleeper_poll(&sleepers[1], &waits[1].future);
    pthread_create(&other, NULL, cancel_writer, NULL);
    unlock_write(NULL);
    pthread_join(other, NULL);
    close_lock("W9");
}

/* The writer waits for a reader, and in the way of another one. */
static void cancelled_writer_is_out_of_the_way(void)
{
    pthread_t other;
    explore_name("second");
    open_lock(true, false);
    rwlock_try_read(&lock);
    sleeper_poll(&sleepers[0], &waits[0].future);
    pthread_create(&other, NULL, cancel_writer, NULL);
    sleeper_poll(&sleepers[1], &waits[1].future);
    pthread_join(other, NULL);
    sleepers_run(sleepers, 2);
    EXPLORE_RULE("W9", !sleepers[1].future, "a reader waits for a reader");
    use(1);
    rwlock_unlock_read(&lock);
    close_lock("W9");
}

/* No other writer gets in between, and readers that wait are let in. */
static void downgrade_against_both(void)
{
    pthread_t other;
    explore_name("writer");
    open_lock(true, false);
    rwlock_try_write(&lock);
    pthread_create(&other, NULL, first, NULL);
    sleeper_poll(&sleepers[1], &waits[1].future);
    rwlock_downgrade(&lock);
    pthread_join(other, NULL);
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("lock", sleepers[0].future, "a writer is inside beside a reader");
    rwlock_unlock_read(&lock);
    close_lock("W1");
}

#define RWLOCK_CASE(scenario_name, what)                                               \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(RWLOCK_CASE(writer_against_writer, "W1"),
             RWLOCK_CASE(reader_against_writer, "W1"),
             RWLOCK_CASE(cancelled_writer_lets_the_reader_in, "W9"),
             RWLOCK_CASE(cancelled_writer_is_out_of_the_way, "W9"),
             RWLOCK_CASE(downgrade_against_both, "W1"), )
