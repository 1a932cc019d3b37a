/* Another test program for rwlock.h: most of it is a table of scripts.
 *
 * A script is a list of words, a letter and the number of a wait each:
 *     W0 R0   a write or read begins and is in at once      w0 r0   it has to wait
 *     i0      it had to wait, and has come in now           o0      it is still outside
 *     u0      it unlocks        d0   the writer becomes a reader
 *     c0      it is cancelled   x0   its output is thrown away
 *     p0      it is polled again, by another task
 *     t0 T0   a try to read, to write, is refused */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson07_custom/rwlock.h"

#define WAITS 6

static struct rwlock lock;
static struct person {
    struct rwlock_wait wait;
    struct waker_probe probes[2];
    int task; /* which of the two polled last */
    long heard;
    bool outside, reads;
} people[WAITS];

/* True: READY. */
static bool is_polled(struct person *person)
{
    struct waker_probe *probe = &person->probes[person->task];
    person->heard = probe_read(&probe->wakes);
    person->outside = probe_poll(probe, &person->wait.future) == POLL_PENDING;
    return !person->outside;
}

static void begins(struct person *person, bool reads)
{
    *person = (struct person){ .wait = reads ? rwlock_read(&lock) : rwlock_write(&lock),
                               .reads = reads };
    is_polled(person);
}

static void run_the_woken(void)
{
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < WAITS; i++) {
            struct person *person = &people[i];
            if (!person->outside ||
                probe_read(&person->probes[person->task].wakes) == person->heard)
                continue;
            is_polled(person);
            again = true;
        }
    }
}

static void unlocks(struct person *person)
{
    if (person->reads)
        rwlock_unlock_read(&lock);
    else
        rwlock_unlock_write(&lock);
}

static void throws_away(struct person *person)
{
    struct rwlock_wait fresh = person->reads ? rwlock_read(&lock) : rwlock_write(&lock);
    fresh.future.ops->discard(&person->wait.future);
}

static void comes_back_as_another_task(struct person *person)
{
    person->task = 1;
    is_polled(person);
    EXPLORE_RULE("W7", probe_read(&person->probes[0].live) == 0, "two wakers are kept");
}

/* False: what the word expects is not so. */
static bool does(char word, struct person *person)
{
    switch (word) {
    case 'W':
    case 'w':
    case 'R':
    case 'r':
        begins(person, word == 'R' || word == 'r');
        return person->outside == (word == 'w' || word == 'r');
    case 'i':
        return !person->outside && person->wait.result == 0;
    case 'o':
        return person->outside;
    case 'u':
        unlocks(person);
        return true;
    case 'd':
        rwlock_downgrade(&lock);
        person->reads = true;
        return true;
    case 'c':
        future_cancel(&person->wait.future);
        return is_polled(person) && person->wait.result == -ECANCELED;
    case 'x':
        throws_away(person);
        return true;
    case 'p':
        comes_back_as_another_task(person);
        return person->outside;
    case 't':
        return rwlock_try_read(&lock) == -EAGAIN;
    default:
        return rwlock_try_write(&lock) == -EAGAIN;
    }
}

/* After each word those that it woke are polled; but a cancel comes before that. */
static void play(const char *script)
{
    rwlock_init(&lock);
    for (const char *word = script; *word; word += word[2] ? 3 : 2) {
        EXPLORE_RULE("script", does(word[0], &people[word[1] - '0']),
                     "in \"%s\" it is not so at \"%.2s\"", script, word);
        if (!word[2] || word[3] != 'c')
            run_the_woken();
    }
    for (int i = 0; i < WAITS; i++)
        EXPLORE_RULE("script", !people[i].outside, "after \"%s\" %d still waits",
                     script, i);
    rwlock_finish(&lock);
}

static void scripts(void)
{
    static const char *const all[] = {
        "W0 t0 T0 u0",                                           /* alone */
        "R0 R1 w2 T0 t0 u0 o2 u1 i2 u2",                         /* readers together */
        "W0 r1 r2 w3 r4 u0 i1 i2 o3 o4 u1 o3 u2 i3 o4 u3 i4 u4", /* in order */
        "R0 w1 r2 t0 u0 i1 o2 u1 i2 u2",                         /* late readers */
        "W0 w1 r2 u0 c1 i2 u2", /* let in and cancelled */
        "W0 r1 w2 u0 c1 i2 u2",
        "R0 w1 r2 c1 i2 u0 u2",    /* in the way and cancelled */
        "W0 w1 d0 o1 t0 u0 i1 u1", /* downgrades */
        "W0 r1 r2 w3 d0 i1 i2 o3 u0 u1 u2 i3 u3",
        "R0 x0 W1 x1 W0 u0",             /* nobody looks */
        "W0 r1 w2 p1 p2 u0 i1 u1 i2 u2", /* tasks that move */
    };
    play(all[explore_choose(sizeof all / sizeof *all)]);
}

/* ---- two threads, who comes first is anybody's guess */

static void *writes(void *unused)
{
    begins(&people[0], false);
    if (!people[0].outside)
        rwlock_unlock_write(&lock);
    return unused;
}

static void one_unlocks_while_one_comes(void)
{
    pthread_t writer;
    rwlock_init(&lock);
    pthread_create(&writer, NULL, writes, NULL);
    begins(&people[1], true);
    bool came_in = !people[1].outside;
    if (came_in)
        rwlock_unlock_read(&lock);
    pthread_join(writer, NULL);
    for (int i = 0; i < 2; i++) {
        if (!people[i].outside)
            continue;
        run_the_woken();
        EXPLORE_RULE("W1", !people[i].outside, "%s waits for nobody",
                     i ? "the reader" : "the writer");
        unlocks(&people[i]);
    }
    rwlock_finish(&lock);
}

EXPLORE_MAIN({ .name = "scripts", .scenario = scripts },
             { .name = "one_unlocks_while_one_comes",
               .scenario = one_unlocks_while_one_comes }, )
