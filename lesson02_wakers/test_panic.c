/* Panic: the task ends, its joiner is told, and nothing that hung off its dead frames
 * stays in flight. */
#include "lesson02_wakers/task_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/combine.h"

static struct executor executor;

static int setup(void **state)
{
    (void)state;
    open_executor(&executor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_executor(&executor);
    return 0;
}

static void for_both(void (*body)(unsigned flags))
{
    body(SPAWN_SHARED);
    body(SPAWN_LOCAL);
}

/* ---- the parts of a tree */

/* Panics when the event is set. */
struct bomb {
    ASYNC_FRAME;
    struct event *event;
    struct event_wait wait;
};

static enum poll_state bomb_poll(struct future *future, struct context *context)
{
    struct bomb *self = ASYNC_SELF(bomb, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, event_wait(self->event));
    event_wait_discard(&self->wait.future);
    task_panic("boom after %d", 1);
    ASYNC_END;
}

static const struct future_ops bomb_ops = ASYNC_OPS(bomb);

/* Owns memory and waits for an event; frees it at its end, however that comes. Its
 * clean-up takes `linger` more polls, and may panic itself. */
struct owner {
    ASYNC_FRAME;
    struct event *event;
    int linger;
    bool panics;
    _Atomic long *freed;
    void *memory; /* owns */
    struct event_wait wait;
    struct yield yield;
};

static enum poll_state owner_poll(struct future *future, struct context *context)
{
    struct owner *self = ASYNC_SELF(owner, future);
    ASYNC_BEGIN(self, context);
    self->memory = malloc(100);
    AWAIT(self->wait, event_wait(self->event));
    event_wait_discard(&self->wait.future);
    while (self->linger-- > 0)
        AWAIT_SHIELDED(self->yield, yield_now());
    free(self->memory);
    probe_count(self->freed, 1);
    if (self->panics)
        task_panic("and again");
    ASYNC_END;
}

static const struct future_ops owner_ops = ASYNC_OPS(owner);

/* An async function that joins a bomb, two owners and a bare leaf. */
struct tree {
    ASYNC_FRAME;
    struct event *fuse;
    struct event *others; /* three */
    _Atomic long *freed;
    int linger;
    bool panics;
    bool select;
    struct bomb bomb;
    struct owner owners[2];
    struct event_wait leaf;
    struct future *children[4];
    union {
        struct join all;
        struct select any;
    };
};

static enum poll_state tree_poll(struct future *future, struct context *context)
{
    struct tree *self = ASYNC_SELF(tree, future);
    ASYNC_BEGIN(self, context);
    self->bomb = (struct bomb){ .future = { &bomb_ops }, .event = self->fuse };
    for (int i = 0; i < 2; i++) {
        self->owners[i] = (struct owner){ .future = { &owner_ops },
                                          .event = &self->others[i],
                                          .linger = i * self->linger,
                                          .panics = self->panics,
                                          .freed = self->freed };
        self->children[1 + i] = &self->owners[i].future;
    }
    self->leaf = event_wait(&self->others[2]);
    self->children[0] = &self->bomb.future;
    self->children[3] = &self->leaf.future;
    if (self->select)
        AWAIT(self->any, select_any(&self->async, self->children, 4));
    AWAIT(self->all, join_all(self->children, 4));
    ASYNC_END;
}

static const struct future_ops tree_ops = ASYNC_OPS(tree);

static void blow(unsigned flags, struct tree tree)
{
    struct event fuse = { 0 }, others[3] = { 0 };
    _Atomic long freed = 0;
    struct task_handle handle = { NULL };
    tree.future.ops = &tree_ops;
    tree.fuse = &fuse;
    tree.others = others;
    tree.freed = &freed;
    assert_int_equal(spawn_on(&executor, flags, &tree.future, &handle), 0);
    run_what_can_run(&executor);
    assert_int_equal(task_status(&handle), JOIN_WAITING);
    assert_null(task_panic_text(&handle));
    event_set(&others[2]); /* READY in the very poll of the panic, and not looked at */
    event_set(&fuse);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(task_status(&handle), JOIN_PANICKED);
    assert_string_equal(task_panic_text(&handle), "boom after 1");
    assert_int_equal(probe_read(&freed), 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(probe_read(&others[i].held), 0);
        assert_null(others[i].cell.waker.ops); /* not in flight any more */
    }
    task_detach(&handle);
}

static void under_a_join(unsigned flags)
{
    blow(flags, (struct tree){ .linger = 0 });
    blow(flags, (struct tree){ .linger = 5 }); /* awaited, not abandoned */
}

static void W13_a_panic_under_a_join_leaves_no_sibling_in_flight(void **state)
{
    (void)state;
    for_both(under_a_join);
}

static void under_a_select(unsigned flags)
{
    blow(flags, (struct tree){ .select = true, .linger = 3 });
}

static void W13_a_panic_under_a_select_leaves_no_sibling_in_flight(void **state)
{
    (void)state;
    for_both(under_a_select);
}

static void in_the_clean_up(unsigned flags)
{
    blow(flags, (struct tree){ .panics = true, .linger = 2 });
}

static void W13_a_panic_in_the_clean_up_of_a_panic(void **state)
{
    (void)state;
    for_both(in_the_clean_up);
}

/* ---- the panic of a frame above, with a healthy one in flight below (select) */

struct loose {
    ASYNC_FRAME;
    struct event *event;
    _Atomic long *freed;
    struct owner owner;
    struct yield yield;
    struct future *children[2];
    struct select any;
};

static enum poll_state loose_poll(struct future *future, struct context *context)
{
    struct loose *self = ASYNC_SELF(loose, future);
    ASYNC_BEGIN(self, context);
    self->owner = (struct owner){ .future = { &owner_ops },
                                  .event = self->event,
                                  .linger = 2,
                                  .freed = self->freed };
    self->yield = yield_now();
    self->children[0] = &self->owner.future;
    self->children[1] = &self->yield.future;
    AWAIT(self->any, select_any(&self->async, self->children, 2));
    task_panic("with a child in flight, winner %d", self->any.winner);
    ASYNC_END;
}

static const struct future_ops loose_ops = ASYNC_OPS(loose);

static void with_loose_child(unsigned flags)
{
    struct event event = { 0 };
    _Atomic long freed = 0;
    struct task_handle handle = { NULL };
    struct loose loose = { .future = { &loose_ops }, .event = &event, .freed = &freed };
    assert_int_equal(spawn_on(&executor, flags, &loose.future, &handle), 0);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(task_status(&handle), JOIN_PANICKED);
    assert_int_equal(probe_read(&freed), 1);
    task_detach(&handle);
}

static void W13_a_panic_beside_a_loose_select_set(void **state)
{
    (void)state;
    for_both(with_loose_child);
}

/* ---- others go on */

static void others_go_on(unsigned flags)
{
    struct event fuse = { .set = true };
    _Atomic long total = 0;
    struct bomb bomb = { .future = { &bomb_ops }, .event = &fuse };
    struct steps count = steps(10, &total);
    assert_int_equal(spawn_on(&executor, flags, &bomb.future, NULL), 0);
    assert_int_equal(spawn_on(&executor, flags, &count.future, NULL), 0);
    assert_int_equal(spawn_on(&executor, flags, &bomb.future, NULL), 0);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&total), 10);
}

static void a_panic_ends_one_task(void **state)
{
    (void)state;
    for_both(others_go_on);
}

static void keep_waker(unsigned flags)
{
    struct event fuse = { 0 };
    struct bomb bomb = { .future = { &bomb_ops }, .event = &fuse };
    struct task_handle handle = { NULL };
    assert_int_equal(spawn_on(&executor, flags, &bomb.future, &handle), 0);
    run_what_can_run(&executor);
    struct waker kept = waker_clone(&fuse.cell.waker);
    event_set(&fuse);
    assert_int_equal(executor_run(&executor), 0);
    waker_wake_by_ref(&kept);
    task_cancel(&handle);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(task_status(&handle), JOIN_PANICKED);
    task_detach(&handle);
    waker_drop(&kept); /* the last reference: the text goes with it */
}

static void W4_a_wake_after_a_panic_does_nothing(void **state)
{
    (void)state;
    for_both(keep_waker);
}

/* ---- an executor inside a task: each has its own trap */

struct nests {
    ASYNC_FRAME;
    unsigned flags;
    enum join_status inner;
    bool then_panic;
};

static void run_inner(struct nests *self)
{
    struct executor inner;
    struct event fuse = { .set = true };
    struct bomb bomb = { .future = { &bomb_ops }, .event = &fuse };
    struct task_handle handle = { NULL };
    if (executor_init(&inner, NULL) < 0)
        return;
    if (executor_block_on(&inner, &bomb.future, &handle) == 0)
        self->inner = task_status(&handle);
    task_detach(&handle);
    executor_finish(&inner);
}

static enum poll_state nests_poll(struct future *future, struct context *context)
{
    struct nests *self = ASYNC_SELF(nests, future);
    ASYNC_BEGIN(self, context);
    run_inner(self);
    if (self->then_panic)
        task_panic("outside");
    ASYNC_END;
}

static const struct future_ops nests_ops = ASYNC_OPS(nests);

static void a_panic_in_a_nested_executor_stays_there(void **state)
{
    (void)state;
    for (int then = 0; then < 2; then++) {
        struct nests nests = { .future = { &nests_ops }, .then_panic = then };
        struct task_handle handle = { NULL };
        assert_int_equal(spawn_on(&executor, SPAWN_LOCAL, &nests.future, &handle), 0);
        assert_int_equal(executor_run(&executor), 0);
        assert_int_equal(TASK_OUTPUT(&handle, nests)->inner, JOIN_PANICKED);
        assert_int_equal(task_status(&handle), then ? JOIN_PANICKED : JOIN_OK);
        task_detach(&handle);
    }
}

/* ---- errors and misuse */

static void without_memory_the_text_is_lost_and_nothing_else(void **state)
{
    (void)state;
    struct event fuse = { .set = true };
    struct bomb bomb = { .future = { &bomb_ops }, .event = &fuse };
    struct task_handle handle = { NULL };
    assert_int_equal(spawn_on(&executor, 0, &bomb.future, &handle), 0);
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(fault_count(), 1);
    fault_disarm();
    assert_int_equal(task_status(&handle), JOIN_PANICKED);
    assert_null(task_panic_text(&handle));
    task_detach(&handle);
}

static void panic_nowhere(void *argument)
{
    (void)argument;
    task_panic("nobody %s", "runs");
}

static void a_panic_outside_a_task_is_a_bug(void **state)
{
    (void)state;
    assert_dies(panic_nowhere, NULL, "task_panic outside a task: nobody runs");
}

static void say_boom(void *argument)
{
    struct event fuse = { 0 }, others[3] = { 0 };
    _Atomic long freed = 0;
    struct tree tree = {
        .future = { &tree_ops }, .fuse = &fuse, .others = others, .freed = &freed
    };
    (void)argument;
    open_executor(&executor);
    spawn_on(&executor, 0, &tree.future, NULL);
    run_what_can_run(&executor);
    event_set(&fuse);
    executor_run(&executor);
    executor_finish(&executor);
}

static void a_panic_says_who_waits_where(void **state)
{
    (void)state;
    static char output[4096];
    assert_int_equal(run_in_child(say_boom, NULL, output, sizeof output), 0);
    const char *const lines[] = { "task 'tree' panicked: boom after 1",
                                  "tree at lesson02_wakers/test_panic.c:",
                                  "  join",
                                  "    bomb at lesson02_wakers/test_panic.c:",
                                  "    owner at lesson02_wakers/test_panic.c:",
                                  "      event" };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (!strstr(output, lines[i]))
            fail_msg("\"%s\" is not in: %s", lines[i], output);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W13_a_panic_under_a_join_leaves_no_sibling_in_flight),
        TEST(W13_a_panic_under_a_select_leaves_no_sibling_in_flight),
        TEST(W13_a_panic_in_the_clean_up_of_a_panic),
        TEST(W13_a_panic_beside_a_loose_select_set),
        TEST(a_panic_ends_one_task),
        TEST(W4_a_wake_after_a_panic_does_nothing),
        TEST(a_panic_in_a_nested_executor_stays_there),
        TEST(without_memory_the_text_is_lost_and_nothing_else),
        cmocka_unit_test(a_panic_outside_a_task_is_a_bug),
        cmocka_unit_test(a_panic_says_who_waits_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
