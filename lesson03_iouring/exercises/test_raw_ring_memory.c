/* A raw ring whose kernel is the test: what stands in the memory after each step. */
#include "common/testing/testing.h"

#include "lesson03_iouring/exercises/fake_kernel.h"

static struct fake_kernel kernel;
static struct raw_ring ring;

/* What raw_enter was asked last, and what it answers. */
static struct {
    int calls, fd, answer;
    unsigned to_submit, wait_for, flags;
} enter;

int raw_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags)
{
    enter.calls++;
    enter.fd = fd;
    enter.to_submit = to_submit;
    enter.wait_for = wait_for;
    enter.flags = flags;
    return enter.answer;
}

static unsigned at(_Atomic unsigned *index)
{
    return atomic_load_explicit(index, memory_order_relaxed);
}

#define EXPECT(what, got, expected)                                                    \
    do {                                                                               \
        long long got_ = (long long)(got), expected_ = (long long)(expected);          \
        if (got_ != expected_)                                                         \
            fail_msg("%s: expected %lld, got %lld", (what), expected_, got_);          \
    } while (0)

static void nop(uint64_t user_data, int expected)
{
    int err = raw_ring_nop(&ring, user_data);
    if (err != expected)
        fail_msg(
            "raw_ring_nop(%llu), %u requests in a queue of %u: expected %d, got %d",
            (unsigned long long)user_data, at(&kernel.sq_tail) - at(&kernel.sq_head),
            ring.sq_entries, expected, err);
}

/* The kernel takes a request, which must be the one with this user_data. */
static void take(uint64_t user_data)
{
    struct io_uring_sqe request = { 0 };
    if (!kernel_take(&kernel, &ring, &request))
        fail_msg("the kernel finds no request: head %u, tail %u; it looks for %llu",
                 at(&kernel.sq_head), at(&kernel.sq_tail),
                 (unsigned long long)user_data);
    EXPECT("user_data of the oldest request", request.user_data, user_data);
    EXPECT("opcode of the oldest request", request.opcode, IORING_OP_NOP);
}

static void a_request_is_written_and_then_published(void **state)
{
    (void)state;
    struct io_uring_sqe request = { 0 };
    fake_kernel_init(&kernel, &ring, 4, 0);
    nop(41, 0);
    EXPECT("tail after one request", at(&kernel.sq_tail), 1);
    EXPECT("head, which is the kernel's", at(&kernel.sq_head), 0);
    EXPECT("sq_array[0]", kernel.array[0], 0);
    assert_true(kernel_take(&kernel, &ring, &request));
    EXPECT("opcode", request.opcode, IORING_OP_NOP);
    EXPECT("user_data", request.user_data, 41);
    EXPECT("flags of the used slot that the request was written to", request.flags, 0);
    EXPECT("rw_flags of that slot", request.rw_flags, 0);
    EXPECT("calls of raw_enter: a request costs none", enter.calls, 0);
}

static void the_slots_are_used_in_a_ring(void **state)
{
    (void)state;
    fake_kernel_init(&kernel, &ring, 4, 2);
    for (uint64_t i = 0; i < 40;
         i += 2) { /* past the end of the slots, again and again */
        nop(i, 0);
        nop(i + 1, 0);
        take(i);
        take(i + 1);
    }
    EXPECT("tail after 2 + 40 requests: it counts on", at(&kernel.sq_tail), 42);
}

static void C6_a_full_queue_says_so_and_stays_as_it_is(void **state)
{
    (void)state;
    fake_kernel_init(&kernel, &ring, 2, 6);
    nop(1, 0);
    nop(2, 0);
    nop(3, -EBUSY);
    EXPECT("tail after a request that was refused", at(&kernel.sq_tail), 8);
    take(1);
    nop(4, 0);
    nop(5, -EBUSY);
    take(2);
    take(4);
    EXPECT("head = tail: nothing is left", at(&kernel.sq_head), at(&kernel.sq_tail));
}

static void a_write_says_what_where_and_how_much(void **state)
{
    (void)state;
    struct io_uring_sqe request = { 0 };
    fake_kernel_init(&kernel, &ring, 4, 0);
    EXPECT("raw_ring_write", raw_ring_write(&ring, 5, "twelve bytes", 12, 4096, 9), 0);
    assert_true(kernel_take(&kernel, &ring, &request));
    EXPECT("opcode (IORING_OP_WRITE)", request.opcode, IORING_OP_WRITE);
    EXPECT("fd", request.fd, 5);
    EXPECT("len", request.len, 12);
    EXPECT("off", request.off, 4096);
    EXPECT("user_data", request.user_data, 9);
    assert_string_equal((const char *)(uintptr_t)request.addr, "twelve bytes");
}

static void answer(uint64_t user_data, int result, unsigned flags)
{
    if (!kernel_answer(&kernel, &ring, user_data, result, flags))
        fail_msg("the kernel finds no room for an answer: head %u, tail %u",
                 at(&kernel.cq_head), at(&kernel.cq_tail));
}

/* The oldest completion must be this one. */
static void pop(uint64_t user_data, int result, unsigned flags)
{
    struct raw_completion done = { .user_data = 55, .result = 55, .flags = 55 };
    if (!raw_ring_pop(&ring, &done))
        fail_msg("raw_ring_pop, %u completions are there: expected true, got false",
                 at(&kernel.cq_tail) - at(&kernel.cq_head));
    EXPECT("user_data of the oldest completion", done.user_data, user_data);
    EXPECT("its result", done.result, result);
    EXPECT("its flags", done.flags, flags);
}

static void nothing_to_pop(void)
{
    struct raw_completion done;
    if (raw_ring_pop(&ring, &done))
        fail_msg("raw_ring_pop, none is there: expected false, got true with user_data "
                 "%llu",
                 (unsigned long long)done.user_data);
}

static void completions_come_out_in_order_and_once(void **state)
{
    (void)state;
    fake_kernel_init(&kernel, &ring, 4, 3);
    nothing_to_pop();
    EXPECT("head after a pop of nothing", at(&kernel.cq_head), 3);
    answer(7, -EIO, 0);
    answer(8, 512, IORING_CQE_F_MORE);
    pop(7, -EIO, 0);
    EXPECT("head after one pop", at(&kernel.cq_head), 4);
    pop(8, 512, IORING_CQE_F_MORE);
    nothing_to_pop();
    for (uint64_t i = 0; i < 40;
         i++) { /* there is room only if each slot is given back */
        answer(i, (int)i, 0);
        pop(i, (int)i, 0);
    }
    EXPECT("tail, which is the kernel's", at(&kernel.cq_tail), 45);
}

static void submit(unsigned wait_for, int answers, unsigned to_submit)
{
    enter.answer = answers;
    enter.calls = 0;
    EXPECT("what raw_ring_enter returns", raw_ring_enter(&ring, wait_for), answers);
    EXPECT("calls of raw_enter", enter.calls, 1);
    EXPECT("its fd", enter.fd, FAKE_FD);
    EXPECT("its to_submit", enter.to_submit, to_submit);
    EXPECT("its wait_for", enter.wait_for, wait_for);
}

static void C7_enter_asks_for_what_was_not_taken_yet(void **state)
{
    (void)state;
    fake_kernel_init(&kernel, &ring, 4, 0);
    for (uint64_t i = 0; i < 3; i++)
        nop(i, 0);
    submit(0, 1, 3); /* of three the kernel takes one */
    take(0);
    submit(0, -EAGAIN, 2);
    submit(0, 2, 2);
    take(1);
    take(2);
    submit(0, 0, 0);
}

static void enter_waits_only_when_it_is_asked_to(void **state)
{
    (void)state;
    fake_kernel_init(&kernel, &ring, 4, 0);
    nop(1, 0);
    submit(0, 1, 1);
    EXPECT("flags when it does not wait", enter.flags, 0);
    take(1);
    submit(2, 0, 0);
    EXPECT("flags when it waits (IORING_ENTER_GETEVENTS)", enter.flags,
           IORING_ENTER_GETEVENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_and_then_published),
        cmocka_unit_test(the_slots_are_used_in_a_ring),
        cmocka_unit_test(C6_a_full_queue_says_so_and_stays_as_it_is),
        cmocka_unit_test(a_write_says_what_where_and_how_much),
        cmocka_unit_test(completions_come_out_in_order_and_once),
        cmocka_unit_test(C7_enter_asks_for_what_was_not_taken_yet),
        cmocka_unit_test(enter_waits_only_when_it_is_asked_to),
    };
    return cmocka_run_group_tests_name("raw_ring in memory", tests, NULL, NULL);
}
