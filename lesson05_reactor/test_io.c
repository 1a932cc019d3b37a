/* Operations as futures: the future contract over leaves of both drivers, and what io.c
 * does by itself. */
#include "lesson05_reactor/driver_testing.h"

#include "lesson01_futures/future_contract.h"
#include "lesson05_reactor/lent_pool.h"

/* ---- the future contract */

struct leaf_world {
    struct driver_subject driver;
    struct driver_world world;
    struct wake_count wakes;
    struct waker second;
    struct io_source *source;
    struct net_address address;
    int peer; /* of a stream; or a client that connects */
};

static void open_leaf(struct leaf_world *self)
{
    memset(&self->world, 0, sizeof self->world);
    assert_true(open_world(&self->world, &self->driver));
    self->wakes = (struct wake_count){ 0 };
    self->second = wake_count_clone(&self->wakes);
    self->peer = -1;
}

static void open_stream(void *world)
{
    struct leaf_world *self = world;
    open_leaf(self);
    self->source = half_pair(&self->peer);
}

static void open_listener(void *world)
{
    struct leaf_world *self = world;
    open_leaf(self);
    self->source = attach_fd(listen_locally(&self->address), IO_TYPE_LISTENER);
}

static void close_leaf(void *world)
{
    struct leaf_world *self = world;
    waker_drop(&self->second);
    assert_int_equal(self->wakes.references, 0);
    close_source_in(&self->world, self->source);
    if (self->peer >= 0)
        close(self->peer);
    close_world(&self->world);
}

static char received[4];

static void make_recv(void *world, void *storage)
{
    *(struct io_op *)storage =
        io_recv(((struct leaf_world *)world)->source, received, sizeof received);
}

static void make_recv_lent(void *world, void *storage)
{
    *(struct io_op *)storage = io_recv_lent(((struct leaf_world *)world)->source);
}

static void make_accept(void *world, void *storage)
{
    *(struct io_op *)storage =
        io_accept(((struct leaf_world *)world)->source, NULL, NULL);
}

static void send_one(void *world, void *storage)
{
    (void)storage;
    write_raw(((struct leaf_world *)world)->peer, "x", 1);
}

static void connect_one(void *world, void *storage)
{
    struct leaf_world *self = world;
    (void)storage;
    self->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(self->peer, &self->address.any, self->address.size), 0);
}

static void turn_leaf(void *world)
{
    turn(&((struct leaf_world *)world)->world);
}

static struct context leaf_context(void *world, unsigned which)
{
    struct leaf_world *self = world;
    return (struct context){ which ? &self->second : &self->world.waker,
                             CONTEXT_BUDGET };
}

static unsigned long leaf_wakes(void *world, unsigned which)
{
    struct leaf_world *self = world;
    return which ? self->wakes.wakes : self->world.wakes.wakes;
}

static int64_t leaf_result(void *world, const void *storage)
{
    (void)world;
    int result = ((const struct io_op *)storage)->result;
    return result >= 0 ? 1 : result; /* bytes, or a descriptor */
}

static unsigned long leaf_effects(void *world)
{
    return (unsigned long)((struct leaf_world *)world)->world.stats.operations;
}

/* A descriptor or a buffer that discard forgot is noticed when the world is closed. */
#define LEAF(label, driver_open, driver_close, is_shared, setup_with, make_with,       \
             finish)                                                                   \
    {                                                                                  \
        .name = label, .size = sizeof(struct io_op), .setup = setup_with,              \
        .teardown = close_leaf, .make = make_with, .let_finish = finish,               \
        .turn = turn_leaf, .context = leaf_context, .wakes = leaf_wakes,               \
        .result = leaf_result, .effects = leaf_effects, .finished = 1,                 \
        .cancelled = -ECANCELED, .world = &(struct leaf_world)                         \
        {                                                                              \
            .driver = {                                                                \
                .name = #driver_open,                                                  \
                .open = driver_open,                                                   \
                .close = driver_close,                                                 \
                .shared = is_shared                                                    \
            }                                                                          \
        }                                                                              \
    }

static struct future_subject recv_on_epoll =
    LEAF("recv", open_reactor, close_reactor, false, open_stream, make_recv, send_one);
static struct future_subject recv_on_ring =
    LEAF("recv", open_ring_driver, close_ring_driver, false, open_stream, make_recv,
         send_one);
static struct future_subject recv_on_shared_ring =
    LEAF("recv", open_ring_driver, close_ring_driver, true, open_stream, make_recv,
         send_one);
static struct future_subject accept_on_epoll =
    LEAF("accept", open_reactor, close_reactor, true, open_listener, make_accept,
         connect_one);
static struct future_subject accept_on_ring =
    LEAF("accept", open_ring_driver, close_ring_driver, false, open_listener,
         make_accept, connect_one);
static struct future_subject lent_on_epoll =
    LEAF("recv_lent", open_reactor, close_reactor, false, open_stream, make_recv_lent,
         send_one);
static struct future_subject lent_on_ring =
    LEAF("recv_lent", open_ring_driver, close_ring_driver, false, open_stream,
         make_recv_lent, send_one);

/* ---- by itself */

static void a_wakers_tasks_name_is_in_the_backtrace(void **state)
{
    (void)state;
    struct leaf_world *self = recv_on_epoll.world;
    char text[64];
    open_stream(self);
    struct io_op op = io_recv(self->source, received, 1);
    future_describe(&op.future, text, sizeof text);
    assert_string_equal(text, "recv");
    close_leaf(self);
}

static void sizes_beyond_the_kernels_limit_are_cut(void **state)
{
    (void)state;
    struct io_op op = io_recv(NULL, received, SIZE_MAX);
    assert_int_equal(op.length, 0x7ffff000);
}

static void give_back_twice(void *argument)
{
    struct io_op *op = argument;
    io_give_back(op);
    io_give_back(op);
}

static void a_loan_is_given_back_once(void **state)
{
    (void)state;
    struct leaf_world *self = lent_on_epoll.world;
    open_stream(self);
    write_raw(self->peer, "x", 1);
    struct io_op op = io_recv_lent(self->source);
    assert_int_equal(drive_op(&self->world, &op), 1);
    assert_dies(give_back_twice, &op, "holds no lent buffer");
    io_give_back(&op);
    close_leaf(self);
}

static void finish_pool(void *argument)
{
    lent_pool_finish(argument);
}

static void a_lent_pool_keeps_a_few_and_counts_all(void **state)
{
    (void)state;
    struct lent_pool pool;
    static void *buffers[300];
    assert_int_equal(lent_pool_init(&pool, 1, true), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(buffers); i++)
        assert_non_null(buffers[i] = lent_pool_lend(&pool));
    assert_dies(finish_pool, &pool, "300 lent buffer(s) not given back");
    for (unsigned i = 0; i < ARRAY_SIZE(buffers); i++)
        lent_pool_give_back(&pool, buffers[i]);
    assert_int_equal(pool.kept, 256);
    lent_pool_finish(&pool);
    lent_pool_finish(&pool); /* zeroed */
}

static void sources_are_recycled_with_a_new_generation(void **state)
{
    (void)state;
    struct source_pool pool;
    struct io_driver driver = { NULL };
    assert_int_equal(source_pool_init(&pool, sizeof(struct io_source)), 0);
    struct io_source *first = source_pool_take(&pool, &driver, 7, IO_TYPE_ANY);
    uint32_t generation = first->generation;
    source_pool_give_back(&pool, first);
    struct io_source *second = source_pool_take(&pool, &driver, 8, IO_TYPE_ANY);
    assert_ptr_equal(first, second);
    assert_int_not_equal(second->generation, generation);
    source_pool_give_back(&pool, second);
    source_pool_finish(&pool);
    source_pool_finish(&pool);
}

static void skipped_without_ring(void **state)
{
    (void)state;
    skip_because("%s", testing_probe()->sentence);
}

/* A test cannot be skipped from its setup, where the driver is made. */
static void skip_without_ring(struct CMUnitTest *test)
{
    const struct future_subject *subject = test->initial_state;
    const struct leaf_world *leaf = subject ? subject->world : NULL;
    if (!leaf || leaf->driver.open != open_ring_driver || !testing_probe()->err)
        return;
    test->test_func = skipped_without_ring;
    test->setup_func = NULL;
    test->teardown_func = NULL;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(recv_on_epoll),
        FUTURE_CONTRACT_WAKES(recv_on_epoll),
        FUTURE_CONTRACT(recv_on_ring),
        FUTURE_CONTRACT_WAKES(recv_on_ring),
        FUTURE_CONTRACT(recv_on_shared_ring),
        FUTURE_CONTRACT_WAKES(recv_on_shared_ring),
        FUTURE_CONTRACT(accept_on_epoll),
        FUTURE_CONTRACT_WAKES(accept_on_epoll),
        FUTURE_CONTRACT(accept_on_ring),
        FUTURE_CONTRACT_WAKES(accept_on_ring),
        FUTURE_CONTRACT(lent_on_epoll),
        FUTURE_CONTRACT_WAKES(lent_on_epoll),
        FUTURE_CONTRACT(lent_on_ring),
        FUTURE_CONTRACT_WAKES(lent_on_ring),
        cmocka_unit_test(a_wakers_tasks_name_is_in_the_backtrace),
        cmocka_unit_test(sizes_beyond_the_kernels_limit_are_cut),
        cmocka_unit_test(a_loan_is_given_back_once),
        cmocka_unit_test(a_lent_pool_keeps_a_few_and_counts_all),
        cmocka_unit_test(sources_are_recycled_with_a_new_generation),
    };
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
        skip_without_ring(&tests[i]);
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
