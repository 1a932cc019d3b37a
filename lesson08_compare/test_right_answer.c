/* What the work's answers have to be, and the file that is read. */
#include "common/testing/testing.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lesson08_compare/blocks.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/right_answer.h"

static struct right_answer answer(const char *workload, uint64_t n)
{
    struct right_answer right = { 0, 0 };
    assert_true(right_answer(workload, n, 1, 1, 1, &right));
    return right;
}

static void the_mixing_function_is_splitmix64(void **state)
{
    (void)state;
    assert_true(right_answer_mix(0) == UINT64_C(0xE220A8397B1DCDAF));
}

static void the_numbers_of_the_page_come_out(void **state)
{
    (void)state;
    assert_int_equal(answer("fib", 27).ops, 317810);
    assert_int_equal(answer("fib", 27).check, 196418);
    assert_int_equal(answer("skynet", 1000000).ops, 1111111);
    assert_true(answer("skynet", 1000000).check == UINT64_C(499999500000));
    assert_true(answer("spawn", 1000000).check == UINT64_C(499999500000));
    assert_int_equal(answer("yield", 1000).ops, 200000);
    assert_int_equal(answer("round-trip", 3).check, 6);
    assert_int_equal(answer("jitter", 500).check, 32000);
    assert_int_equal(answer("tree", 0).check, 1); /* a root alone */
    assert_true(answer("tree", 2000).check > 2000);
}

static void shares_that_do_not_divide_are_left_undone(void **state)
{
    (void)state;
    struct right_answer right;
    assert_true(right_answer("remote-spawn", 10, 4, 1, 1, &right));
    assert_int_equal(right.ops, 8);
    assert_true(right_answer("read", 10, 1, 3, 7, &right));
    assert_int_equal(right.ops, 9);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 9; i++)
        sum += right_answer_mix(i) % 7;
    assert_int_equal(right.check, sum);
    assert_false(right_answer("no such", 1, 1, 1, 1, &right));
}

static void every_program_row_has_a_right_answer(void **state)
{
    (void)state;
    for (int row = 0; row < lab_row_count; row++) {
        const struct lab_row *r = &lab_rows[row];
        struct right_answer right;
        if (r->kind != LAB_PROGRAM)
            continue;
        assert_true(right_answer(r->workload, r->n_short, r->threads ? r->threads : 1,
                                 r->depth ? r->depth : 1, 65536, &right));
        assert_true(right.ops > 0);
        assert_true(r->depth == 0 || r->n_short % r->depth == 0);
        assert_true(r->depth == 0 || r->n_full % r->depth == 0);
    }
}

static void each_block_begins_with_its_number(void **state)
{
    (void)state;
    const uint64_t blocks = 300; /* more than are written at once */
    const char *path = testing_path("blocks");
    struct stat is;
    int fds = open_fds();
    assert_int_equal(blocks_make(path, blocks * BLOCK_SIZE), 0);
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(is.st_size, blocks * BLOCK_SIZE);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    for (uint64_t k = 0; k < blocks; k += 23) {
        unsigned char head[8];
        uint64_t number = 0;
        assert_int_equal(fseek(file, (long)(k * BLOCK_SIZE), SEEK_SET), 0);
        assert_int_equal(fread(head, 1, 8, file), 8);
        for (int i = 0; i < 8; i++)
            number |= (uint64_t)head[i] << (8 * i);
        assert_int_equal(number, k);
    }
    fclose(file);
    assert_int_equal(blocks_warm(path), 0);
    assert_int_equal(blocks_make(path, blocks * BLOCK_SIZE), 0); /* is there */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(blocks_make("/nowhere/at/all", BLOCK_SIZE), -ENOENT);
    assert_int_equal(blocks_warm("/nowhere/at/all"), -ENOENT);
    assert_int_equal(blocks_direct("/nowhere/at/all"), -ENOENT);
    assert_int_equal(open_fds(), fds);
}

static void a_flat_object_can_be_read_number_by_number(void **state)
{
    (void)state;
    static const char line[] =
        "{\"a\":1, \"text\":\"say \\\"b\\\":2, \\u0041\",\"c\": -2.5,"
        "\"big\":18446744073709551615,\"d\":null,\"e\":3}";
    char key[8], text[32], keys[32] = "";
    double value, sum = 0;
    uint64_t count;
    for (const char *at = line; (at = json_next_number(at, key, sizeof key, &value));) {
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s ", key);
        sum += strcmp(key, "big") == 0 ? 0 : value;
    }
    assert_string_equal(keys, "a c big e ");
    assert_true(sum > 1.49 && sum < 1.51);
    assert_true(json_get_count(line, "big", &count));
    assert_true(count == UINT64_MAX);
    assert_false(json_get_count(line, "c", &count));
    assert_false(json_get_count(line, "text", &count));
    assert_true(json_get_text(line, "text", text, sizeof text));
    assert_string_equal(text, "say \"b\":2, A");
    assert_true(json_get_text(line, "text", text, 4));
    assert_string_equal(text, "say");
    assert_false(json_get_text(line, "a", text, sizeof text));
    assert_false(json_get_text("{\"x\":\"no end", "x", text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mixing_function_is_splitmix64),
        cmocka_unit_test(the_numbers_of_the_page_come_out),
        cmocka_unit_test(shares_that_do_not_divide_are_left_undone),
        cmocka_unit_test(every_program_row_has_a_right_answer),
        cmocka_unit_test(each_block_begins_with_its_number),
        cmocka_unit_test(a_flat_object_can_be_read_number_by_number),
    };
    return cmocka_run_group_tests_name("right answer", tests, NULL, NULL);
}
