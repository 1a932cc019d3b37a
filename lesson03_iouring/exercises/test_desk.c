/* A desk whose kernel is the test: reads that end, and reads that are given up. */
#include "lesson03_iouring/exercises/desk_kernel.h"

static struct reader ann, bob, carol;

static int new_readers(void **state)
{
    ann = (struct reader){ .name = "Ann" };
    bob = (struct reader){ .name = "Bob" };
    carol = (struct reader){ .name = "Carol" };
    return open_desk(state);
}

static void two_pages_arrive(void **state)
{
    (void)state;
    asks(&ann);
    asks(&bob);
    kernel_writes(1, "for Bob");
    kernel_answers(1, 8);
    kernel_writes(0, "for Ann");
    kernel_answers(0, 8);
    expect_calls(&ann, 1, "her page is there");
    expect_calls(&bob, 1, "his page is there");
    expect_text(&ann, "for Ann");
    expect_text(&bob, "for Bob");
    desk_destroy(desk);
}

static void one_who_gives_up_is_told_once(void **state)
{
    (void)state;
    asks(&ann);
    gives_up(&ann, 0);
    kernel_answers(1, 0); /* the cancel has found the read */
    kernel_answers(0, -ECANCELED);
    expect_calls(&ann, 1, "her read was stopped");
    assert_int_equal(ann.result, -ECANCELED);
    desk_destroy(desk);
}

/* The bytes are the reader's while it is called, also if it asks for another page. */
static char seen[DESK_BYTES];

static void asks_again(void *argument, const char *bytes, int result)
{
    (void)argument;
    (void)result;
    asks(&bob); /* there is another buffer */
    kernel_writes(1, "for Bob");
    memcpy(seen, bytes, sizeof seen);
}

static void C15_the_bytes_stay_while_the_reader_looks(void **state)
{
    (void)state;
    assert_true(desk_read(desk, 7, 0, asks_again, NULL) >= 0);
    kernel_writes(0, "for Ann");
    kernel_answers(0, 8);
    assert_string_equal(seen, "for Ann");
    kernel_answers(1, 8);
    desk_destroy(desk);
}

static void C17_nobody_is_told_before_the_read_itself_ends(void **state)
{
    (void)state;
    static const int answers[] = { -EALREADY, -ENOENT, 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
        char when[80];
        asks(&ann);
        gives_up(&ann, 2 * i);
        kernel_answers(2 * i + 1, answers[i]);
        snprintf(when, sizeof when, "her cancel was answered with %d, her read not yet",
                 answers[i]);
        expect_calls(&ann, i, when);
        kernel_answers(2 * i, answers[i] ? 8 : -ECANCELED);
        expect_calls(&ann, i + 1, "her read has ended");
    }
    desk_destroy(desk);
}

static void C1_a_late_read_writes_into_no_strangers_page(void **state)
{
    (void)state;
    asks(&ann);
    gives_up(&ann, 0);
    kernel_answers(1, -ENOENT);
    asks(&bob);
    kernel_writes(2, "for Bob");
    kernel_writes(0, "for Ann"); /* it was in the disk's hands all the time */
    kernel_answers(2, 8);
    expect_calls(&bob, 1, "his page is there");
    expect_text(&bob, "for Bob");
    kernel_answers(0, 8);
    desk_destroy(desk);
}

static void C1_the_end_of_one_read_ends_no_other(void **state)
{
    (void)state;
    asks(&ann);
    gives_up(&ann, 0);
    kernel_answers(1, -ENOENT);
    asks(&bob);
    kernel_answers(0, -EIO);
    expect_calls(&bob, 0, "only Ann's read has ended");
    kernel_writes(2, "for Bob");
    kernel_answers(2, 8);
    expect_calls(&bob, 1, "his page is there");
    expect_text(&bob, "for Bob");
    desk_destroy(desk);
}

static void C1_a_buffer_that_the_kernel_has_is_not_free(void **state)
{
    (void)state;
    asks(&ann);
    gives_up(&ann, 0);
    kernel_answers(1, -ENOENT);
    asks(&bob);
    int got = desk_read(desk, 7, 0, reader_done, &carol);
    if (got != -EAGAIN)
        fail_msg("Carol asks for a page, the kernel has both buffers: expected -EAGAIN "
                 "(%d), got %d",
                 -EAGAIN, got);
    kernel_answers(0, 8);
    asks(&carol);
    kernel_answers(2, 8);
    kernel_answers(3, 8);
    expect_calls(&carol, 1, "her page is there");
    desk_destroy(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_pages_arrive, new_readers),
        cmocka_unit_test_setup(one_who_gives_up_is_told_once, new_readers),
        cmocka_unit_test_setup(C15_the_bytes_stay_while_the_reader_looks, new_readers),
        cmocka_unit_test_setup(C17_nobody_is_told_before_the_read_itself_ends,
                               new_readers),
        cmocka_unit_test_setup(C1_a_late_read_writes_into_no_strangers_page,
                               new_readers),
        cmocka_unit_test_setup(C1_the_end_of_one_read_ends_no_other, new_readers),
        cmocka_unit_test_setup(C1_a_buffer_that_the_kernel_has_is_not_free,
                               new_readers),
    };
    return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
