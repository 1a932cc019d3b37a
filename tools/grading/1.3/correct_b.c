/* Tests for async.c in another style: one async function that follows a script, and a
 * table of what is to come out of it. */
#include "common/testing/testing.h"

#include "lesson01_futures/async.h"
#include "lesson01_futures/combine.h"
#include "lesson01_futures/gate.h"

/* ---- cancels: "a" awaits, "s" awaits shielded, "c" cancels itself */

enum { STEPS = 4 };

struct scripted {
    ASYNC_FRAME;
    const char *script; /* borrows */
    struct gatekeeper keepers[STEPS];
    struct gate gate;
    unsigned at;
    char said[STEPS + 1]; /* for each await: "r" a real result, "x" cancelled */
};

static void note(struct scripted *self)
{
    self->said[strlen(self->said)] = self->gate.result == -ECANCELED ? 'x' : 'r';
}

static enum poll_state scripted_poll(struct future *future, struct context *context)
{
    struct scripted *self = ASYNC_SELF(scripted, future);
    ASYNC_BEGIN(self, context);
    for (self->at = 0; self->script[self->at]; self->at++) {
        if (self->script[self->at] == 'c') {
            future_cancel(future);
            continue;
        }
        if (self->script[self->at] == 's')
            AWAIT_SHIELDED(self->gate, gate(&self->keepers[self->at]));
        else
            AWAIT(self->gate, gate(&self->keepers[self->at]));
        note(self);
    }
    ASYNC_END;
}

static const struct future_ops scripted_ops = ASYNC_OPS(scripted);

static const struct {
    const char *script;
    int cancel_at; /* poll number in front of which the test cancels */
    const char *expected;
} table[] = {
    { "aaa", 0, "xxx" }, { "aaa", 1, "xxx" }, { "aaa", 2, "rxx" }, { "asa", 1, "xrx" },
    { "asa", 2, "rrx" }, { "saa", 1, "rxx" }, { "caa", 9, "xx" },  { "aca", 9, "rx" },
    { "sca", 9, "rx" },  { "csa", 9, "rx" },  { "acs", 9, "rr" },  { "aas", 2, "rxr" },
};

/* Polls, and opens the gate that is waited for, until it is READY. */
static void play(unsigned row)
{
    struct scripted f = { .future = { &scripted_ops }, .script = table[row].script };
    for (int poll = 0;; poll++) {
        if (poll == table[row].cancel_at)
            future_cancel(&f.future);
        if (poll_once(&f.future) == POLL_READY)
            break;
        if (poll > 10)
            fail_msg("script %s: still pending", f.script);
        if (poll + 1 != table[row].cancel_at || f.script[f.at] == 's')
            f.keepers[f.at].open = true;
    }
    if (strcmp(f.said, table[row].expected) != 0)
        fail_msg("script %s, cancelled before poll %d: expected %s, got %s", f.script,
                 table[row].cancel_at, table[row].expected, f.said);
}

static void cancels_by_the_script(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        play(i);
}

/* ---- a set of which something is left */

struct leaver {
    ASYNC_FRAME;
    struct gatekeeper keepers[3];
    struct gate gates[2], pause;
    struct future *both[2];
    struct select any;
    struct join rest;
    bool tidy, twice;
};

static enum poll_state leaver_poll(struct future *future, struct context *context)
{
    struct leaver *self = ASYNC_SELF(leaver, future);
    ASYNC_BEGIN(self, context);
    self->gates[0] = gate(&self->keepers[0]);
    self->gates[1] = gate(&self->keepers[1]);
    self->both[0] = &self->gates[0].future;
    self->both[1] = &self->gates[1].future;
    AWAIT(self->any, select_any(&self->async, self->both, 2));
    self->both[self->any.winner] = NULL;
    if (self->twice)
        AWAIT(self->any, select_any(&self->async, self->both, 2));
    AWAIT(self->pause, gate(&self->keepers[2]));
    if (self->tidy)
        AWAIT(self->rest, cancel_all(self->both, 2));
    ASYNC_END;
}

static const struct future_ops leaver_ops = ASYNC_OPS(leaver);

static void count(const struct future *future, unsigned depth, void *argument)
{
    const struct gate *found = container_of_const(future, struct gate, future);
    unsigned *seen = argument;
    (void)depth;
    if (strcmp(future->ops->name, "gate") == 0)
        seen[found->keeper->value]++;
}

static void each_once(struct leaver *f, const char *when, unsigned a, unsigned b,
                      unsigned c)
{
    unsigned seen[3] = { 0 }, expected[3] = { a, b, c };
    future_walk(&f->future, count, seen);
    for (int i = 0; i < 3; i++)
        if (seen[i] != expected[i])
            fail_msg("%s: gate %d was found %u times, expected %u", when, i, seen[i],
                     expected[i]);
}

static struct leaver leaver(void)
{
    return (
        struct leaver){ .future = { &leaver_ops },
                        .keepers = { { .value = 0 }, { .value = 1 }, { .value = 2 } } };
}

static void a_walk_finds_everything(void **state)
{
    (void)state;
    struct leaver f = leaver();
    struct context empty = { NULL, 0 };
    f.tidy = f.twice = true;
    poll_once(&f.future);
    each_once(&f, "in the first await", 1, 1, 0);
    f.keepers[0].open = true;
    future_poll(&f.future, &empty);
    each_once(&f, "before the second await", 0, 1, 0);

    f = leaver();
    f.tidy = true;
    f.keepers[0].open = true;
    poll_once(&f.future);
    each_once(&f, "in the pause", 0, 1, 1);
    f.keepers[2].open = true;
    if (poll_once(&f.future) != POLL_READY)
        fail_msg("all can end: expected READY");
}

static void leaves(void *argument)
{
    struct leaver f = leaver();
    (void)argument;
    f.keepers[1].open = f.keepers[2].open = true;
    poll_once(&f.future);
}

static void an_untidy_one_dies(void **state)
{
    (void)state;
    assert_dies(leaves, NULL, "F4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancels_by_the_script),
        cmocka_unit_test(a_walk_finds_everything),
        cmocka_unit_test(an_untidy_one_dies),
    };
    return cmocka_run_group_tests_name("async, by a script", tests, NULL, NULL);
}
