/* Exercise 7.4: Tests for a read-write lock.
 * What to do stands in 7.4_kill_rwlock.md. */
/* Tests of rwlock.h, as explored cases: each scenario is run in every order that its
 * threads may take, and EXPLORE_RULE says what must hold in all of them.
 *
 * A scenario may also have one thread only; then there is one order, and it is an ordinary
 * test of what the header promises. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "common/todo.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/rwlock.h"

#define SLEEPERS 4

static struct rwlock lock;
static struct sleeper sleepers[SLEEPERS];
static struct rwlock_wait waits[SLEEPERS];

/* One wait for each letter, 'r' or 'w', none of them polled yet. */
static void open_lock(const char *kinds)
{
    rwlock_init(&lock);
    for (int i = 0; kinds[i]; i++) {
        waits[i] = kinds[i] == 'w' ? rwlock_write(&lock) : rwlock_read(&lock);
        sleepers[i].waiter = &waits[i].waiter;
    }
}

/* True: it is inside. */
static bool begins(int which)
{
    return sleeper_poll(&sleepers[which], &waits[which].future) &&
           waits[which].result == 0;
}

/* Who was woken is polled; true: `which`, which had to wait before, is inside. */
static bool has_come_in(int which)
{
    sleepers_run(sleepers, SLEEPERS);
    return !sleepers[which].future && waits[which].result == 0;
}

static void leaves(int which)
{
    if (waits[which].writes)
        rwlock_unlock_write(&lock);
    else
        rwlock_unlock_read(&lock);
}

static void close_lock(const char *rule)
{
    sleepers_end(sleepers, SLEEPERS, rule);
    rwlock_finish(&lock);
}

/* ---- an example: right, and no broken version is caught by it */

static void a_writer_waits_until_the_reader_has_left(void)
{
    explore_name("writer");
    open_lock("w");
    EXPLORE_RULE("lock", rwlock_try_read(&lock) == 0,
                 "nobody holds it, and a reader "
                 "is not let in");
    EXPLORE_RULE("lock", !begins(0), "a reader is inside, and a writer comes in");
    rwlock_unlock_read(&lock);
    EXPLORE_RULE("W1", has_come_in(0), "the reader has left, and the writer waits");
    EXPLORE_RULE("lock", rwlock_try_read(&lock) == -EAGAIN, "a reader beside a writer");
    leaves(0);
    close_lock("W1");
}

/* ---- yours */

static void a_first_case_of_yours(void)
{
    /* Yours: a promise of rwlock.h; then more cases, each with its row below */
    EXERCISE_TODO("7.4");
}

#define CASE(scenario_name)                                                            \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name                              \
    }

EXPLORE_MAIN(CASE(a_writer_waits_until_the_reader_has_left),
             CASE(a_first_case_of_yours), )
