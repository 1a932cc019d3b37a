/* Another test program for ring_whole: one table of scripts, for each what must come
 * out. */
#include "common/testing/testing.h"

#include "lesson03_iouring/exercises/scripted_ring.h"

struct row {
    const char *name;
    int answers[8];
    unsigned count;
    bool writing;
    size_t size;
    uint64_t offset;
    unsigned cancel_after; /* polls; 0: never */
    int64_t result;
    size_t done;
    const char *bytes;  /* of the buffer after a read, of the file after a write */
    uint64_t second_at; /* offset of the second step */
};

#define STREAM RING_NO_OFFSET

static const struct row rows[] = {
    { "short reads of a stream",
      { 2, 2, 2, 2 },
      4,
      false,
      8,
      STREAM,
      0,
      8,
      8,
      "abcdefgh",
      STREAM },
    { "short reads of a file", { 1, 7 }, 2, false, 8, 3, 0, 8, 8, "defghijk", 4 },
    { "the file ends", { 6, 0 }, 2, false, 8, 0, 0, 6, 6, "abcdef", 6 },
    { "short writes to a stream",
      { 1, 5 },
      2,
      true,
      6,
      STREAM,
      0,
      6,
      6,
      "012345",
      STREAM },
    { "a signal at each step",
      { -EINTR, 3, -EINTR, 3 },
      4,
      true,
      6,
      STREAM,
      0,
      6,
      6,
      "012345",
      0 },
    { "a read error", { 5, -EIO }, 2, false, 8, 0, 0, -EIO, 5, "abcde", 5 },
    { "a write of nothing", { 2, 0, 0 }, 3, true, 6, STREAM, 0, -EIO, 2, "01", STREAM },
    { "a cancel", { 2, WAITS }, 2, false, 8, STREAM, 1, -ECANCELED, 2, "ab", STREAM },
    { "four gigabytes",
      { ALL, ALL, ALL, ALL },
      4,
      false,
      (size_t)4 << 30,
      100,
      0,
      (int64_t)4 << 30,
      (size_t)4 << 30,
      "",
      0 },
};

static void check_row(const struct row *row)
{
    char buffer[16] = "0123456789";
    struct context context = { .budget = CONTEXT_BUDGET };
    script_begin(row->answers, row->count);
    struct ring_whole whole =
        row->writing ? ring_write_all(&no_ring, 3, buffer, row->size, row->offset)
                     : ring_read_full(&no_ring, 3, buffer, row->size, row->offset);
    for (unsigned i = 0; i < row->cancel_after; i++)
        assert_int_equal(future_poll(&whole.future, &context), POLL_PENDING);
    if (row->cancel_after)
        future_cancel(&whole.future);
    int64_t result = run(&whole);
    if (result != row->result)
        fail_msg("%s: expected the result %lld, got %lld", row->name,
                 (long long)row->result, (long long)result);
    if (whole.done != row->done)
        fail_msg("%s: expected %zu bytes done, got %zu", row->name, row->done,
                 whole.done);
    assert_memory_equal(row->writing ? file : buffer, row->bytes, strlen(row->bytes));
    if (row->second_at && steps[1].offset != row->second_at)
        fail_msg("%s: the second step is at the wrong offset", row->name);
}

static void each_script(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_script) };
    return cmocka_run_group_tests_name("ring_whole, by a table", tests, NULL, NULL);
}
