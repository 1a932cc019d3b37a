/* Tests of rwlock.h, as explored cases: each scenario is run in every order that its
 * threads may take, and EXPLORE_RULE says what must hold in all of them.
 *
 * A scenario may also have one thread only; then there is one order, and it is an ordinary
 * test of what the header promises. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
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

/* exercise 7.4 { */
static int guarded; /* plain: by the lock */

static void passes_through(int which)
{
    if (waits[which].writes)
        guarded++;
    leaves(which);
}

static void *first_passes_through(void *unused)
{
    explore_name("first");
    if (begins(0))
        passes_through(0);
    return unused;
}

/* Two come at once; whoever has to wait is let in by the other. */
static void two_meet(const char *kinds)
{
    pthread_t other;
    explore_name("second");
    open_lock(kinds);
    pthread_create(&other, NULL, first_passes_through, NULL);
    bool second_waits = !begins(1);
    if (!second_waits)
        passes_through(1);
    bool first_waits = pthread_join(other, NULL) == 0 && sleepers[0].future;
    if (second_waits) {
        EXPLORE_RULE("W1", has_come_in(1), "the first has left, and the second waits");
        passes_through(1);
    }
    if (first_waits) {
        EXPLORE_RULE("W1", has_come_in(0), "the second has left, and the first waits");
        passes_through(0);
    }
    close_lock("W1");
}

/* } exercise 7.4 */

static void a_first_case_of_yours(void)
{
    /* exercise 7.4 { */
    two_meet("wr");
    /* } exercise 7.4: () a promise of rwlock.h; then more cases, each with its row below */
}

/* exercise 7.4 { */

static void writer_meets_writer(void)
{
    two_meet("ww");
}

/* Behind a writer wait two readers, a writer, a reader. */
static void in_order_of_arrival(void)
{
    open_lock("rrwr");
    rwlock_try_write(&lock);
    for (int i = 0; i < 4; i++)
        EXPLORE_RULE("lock", !begins(i), "number %d is inside beside a writer", i);
    rwlock_unlock_write(&lock);
    EXPLORE_RULE("together", has_come_in(0) && has_come_in(1),
                 "two readers, next to "
                 "each other, and not both are in");
    EXPLORE_RULE("order", !has_come_in(2), "a writer beside readers");
    EXPLORE_RULE("order", !has_come_in(3), "a reader overtook a writer in line");
    leaves(0);
    EXPLORE_RULE("order", !has_come_in(2), "a writer beside a reader");
    leaves(1);
    EXPLORE_RULE("order", has_come_in(2), "the writer is the next");
    EXPLORE_RULE("order", !has_come_in(3), "a reader beside a writer");
    leaves(2);
    EXPLORE_RULE("order", has_come_in(3), "the reader is the last");
    leaves(3);
    close_lock("W1");
}

static void a_late_reader_waits_behind_a_writer(void)
{
    open_lock("wr");
    rwlock_try_read(&lock);
    EXPLORE_RULE("lock", !begins(0), "a writer beside a reader");
    EXPLORE_RULE("order", rwlock_try_read(&lock) == -EAGAIN, "a try overtakes");
    EXPLORE_RULE("order", !begins(1), "a late reader overtakes a writer");
    rwlock_unlock_read(&lock);
    EXPLORE_RULE("order", has_come_in(0) && !has_come_in(1), "not the writer is next");
    leaves(0);
    EXPLORE_RULE("order", has_come_in(1), "the reader is not let in");
    leaves(1);
    close_lock("W1");
}

static void *cancels_first(void *unused)
{
    explore_name("cancelled");
    sleeper_cancel(&sleepers[0]);
    return unused;
}

/* The first writer in line is let in, or cancelled, or both. */
static void a_cancelled_writer_holds_nothing(void)
{
    pthread_t other;
    explore_name("holder");
    open_lock("wr");
    rwlock_try_write(&lock);
    begins(0);
    begins(1);
    pthread_create(&other, NULL, cancels_first, NULL);
    rwlock_unlock_write(&lock);
    pthread_join(other, NULL);
    EXPLORE_RULE("W9", has_come_in(1), "the reader behind a cancelled writer waits");
    leaves(1);
    close_lock("W9");
}

static void a_cancelled_writer_is_in_nobodys_way(void)
{
    open_lock("wr");
    rwlock_try_read(&lock);
    begins(0);
    begins(1);
    sleeper_cancel(&sleepers[0]);
    EXPLORE_RULE("W9", has_come_in(1), "a reader waits for a reader");
    leaves(1);
    rwlock_unlock_read(&lock);
    close_lock("W9");
}

/* A writer waits, and behind it a reader; or a reader, and behind it a writer. */
static void downgrade_keeps_writers_out(void)
{
    open_lock("wr");
    rwlock_try_write(&lock);
    begins(0);
    rwlock_downgrade(&lock);
    EXPLORE_RULE("lock", !has_come_in(0), "a writer came in between");
    EXPLORE_RULE("order", !begins(1), "a late reader overtakes a writer");
    rwlock_unlock_read(&lock);
    EXPLORE_RULE("lock", has_come_in(0), "the writer is the next");
    leaves(0);
    EXPLORE_RULE("lock", has_come_in(1), "and then the reader");
    leaves(1);
    close_lock("W1");
}

static void downgrade_lets_readers_in(void)
{
    open_lock("rw");
    rwlock_try_write(&lock);
    begins(0);
    begins(1);
    rwlock_downgrade(&lock);
    EXPLORE_RULE("together", has_come_in(0), "a reader waits for a reader");
    EXPLORE_RULE("lock", !has_come_in(1), "a writer beside readers");
    leaves(0);
    rwlock_unlock_read(&lock);
    EXPLORE_RULE("lock", has_come_in(1), "the writer is the next");
    leaves(1);
    close_lock("W1");
}

static void discard_unlocks(const char *kind)
{
    open_lock(kind);
    const struct future_ops *ops = waits[0].future.ops;
    begins(0);
    ops->discard(&waits[0].future);
    EXPLORE_RULE("discard", rwlock_try_write(&lock) == 0, "discarded, and still held");
    rwlock_unlock_write(&lock);
    close_lock("W1");
}

static void a_read_is_discarded(void)
{
    discard_unlocks("r");
}

static void a_write_is_discarded(void)
{
    discard_unlocks("w");
}

/* The task that polled it last is the one to be woken. */
static void the_newest_waker_counts(void)
{
    static struct waker_probe older;
    open_lock("r");
    rwlock_try_write(&lock);
    probe_poll(&older, &waits[0].future);
    begins(0);
    rwlock_unlock_write(&lock);
    EXPLORE_RULE("W7", has_come_in(0), "the task that polled it last is not woken");
    EXPLORE_RULE("W7", probe_read(&older.live) == 0, "the older waker is still kept");
    leaves(0);
    close_lock("W7");
}
/* } exercise 7.4 */

#define CASE(scenario_name)                                                            \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name                              \
    }

EXPLORE_MAIN(CASE(a_writer_waits_until_the_reader_has_left),
             /* exercise 7.4 { */
             CASE(writer_meets_writer), CASE(in_order_of_arrival),
             CASE(a_late_reader_waits_behind_a_writer),
             CASE(a_cancelled_writer_holds_nothing),
             CASE(a_cancelled_writer_is_in_nobodys_way),
             CASE(downgrade_keeps_writers_out), CASE(downgrade_lets_readers_in),
             CASE(a_read_is_discarded), CASE(a_write_is_discarded),
             CASE(the_newest_waker_counts),
             /* } exercise 7.4 */
             CASE(a_first_case_of_yours), )
