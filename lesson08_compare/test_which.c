/* Five answers, one runtime, and what the newest recorded lab says about it. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/which.h"

static int answers[WHICH_QUESTIONS];
static char problem[200];
static const struct which_advice *advice;

static int fresh(void **state)
{
    (void)state;
    lab_testing_fresh();
    problem[0] = '\0';
    return 0;
}

static int forgotten(void **state)
{
    (void)state;
    lab_forget(&lab);
    return 0;
}

static const char *name_for(const char *text)
{
    if (!which_take(text, answers, problem))
        fail_msg("%s: %s", text, problem);
    return which_decide(answers)->name;
}

static void each_answer_that_binds_decides(void **state)
{
    (void)state;
    assert_string_equal(name_for("tokio,small,files,tail,linux"), "Tokio");
    assert_string_equal(name_for("any,small,files,tail,linux"), "glommio");
    assert_string_equal(name_for("any,small,files,tail,restricted"), "smol");
    assert_string_equal(name_for("any,any,files,tail,other"), "Tokio");
    assert_string_equal(name_for("any,any,network,average,linux"), "Tokio");
    assert_string_equal(name_for("any,any,network,tail,linux"), "glommio");
    assert_string_equal(name_for("c,any,network,tail,other"), "libuv");
    assert_non_null(strstr(name_for("3,2,1,1,1"), "this course"));
}

static void every_combination_has_an_advice_with_rows(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * 2 * 2 * 2 * 3; i++) {
        int all[WHICH_QUESTIONS] = { i % 3, i / 3 % 2, i / 6 % 2, i / 12 % 2, i / 24 };
        const struct which_advice *its = which_decide(all);
        assert_non_null(its->why);
        for (int k = 0; k < WHICH_EVIDENCE_MAX && its->evidence[k].what; k++) {
            lab_testing_contestant(its->evidence[k].who);
            lab_testing_contestant(its->evidence[k].than);
        }
        assert_non_null(its->evidence[0].what);
    }
}

static void nonsense_gets_one_sentence(void **state)
{
    (void)state;
    assert_false(which_take("any,any,foo,tail,linux", answers, problem));
    assert_string_equal(problem, "'foo' is no answer to the question of io: network or "
                                 "files");
    assert_false(which_take("4,any,files,tail,linux", answers, problem));
    assert_non_null(strstr(problem, "ecosystem: tokio, any or c"));
    assert_false(which_take("any,any", answers, problem));
    assert_string_equal(problem, "2 answers are there, 5 are needed");
    assert_false(which_take("1,1,1,1,1,1", answers, problem));
    assert_false(which_take("", answers, problem));
    assert_false(which_take(",,,,", answers, problem));
}

static bool asked(const char *input)
{
    char text[256];
    snprintf(text, sizeof text, "%s", input);
    FILE *in = fmemopen(text, strlen(text) + (text[0] == '\0'), "r");
    FILE *out = tmpfile();
    assert_true(in && out);
    if (text[0] == '\0')
        fgetc(in);
    bool understood = which_ask(in, out, answers, problem);
    fclose(in);
    fclose(out);
    return understood;
}

static void it_asks_line_by_line(void **state)
{
    (void)state;
    assert_true(asked("any\n 2 \nfiles\naverage\nlinux\n"));
    assert_string_equal(which_decide(answers)->name, "glommio");
    assert_false(asked("any\n2\n"));
    assert_string_equal(problem, "the input ended before the question of io");
    assert_false(asked("any\n\n"));
    assert_false(asked(""));
    assert_string_equal(problem, "the input ended before the question of ecosystem");
}

static void print(const struct lab *recorded)
{
    which_print(recorded, advice, stdout);
}

static const char *advised(const char *text)
{
    name_for(text);
    advice = which_decide(answers);
    return lab_testing_said(print);
}

static void without_a_lab_it_says_how_to_get_one(void **state)
{
    (void)state;
    assert_false(which_load(&lab));
    assert_non_null(strstr(advised("1,2,1,1,1"), "Nothing has been measured yet"));
}

static void record(const char *stamp, const char *runs)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", lab.results, stamp);
    mkdir(path, 0777);
    strcat(path, "/runs.jsonl");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "{\"type\":\"lab\",\"format\":1,\"rounds\":3,\"date\":\"%s\"}\n",
            stamp);
    for (int round = 0; *runs && round < 3; round++)
        for (int glommio = 0; glommio < 2; glommio++)
            fprintf(file,
                    "{\"type\":\"run\",\"row\":\"read-64\",\"contestant\":\"%s\","
                    "\"round\":%d,\"purpose\":\"timed\",\"ops\":1,\"cpu_us\":%s}\n",
                    glommio ? "glommio" : "tokio/multi", round, glommio ? runs : "5");
    fclose(file);
}

static void the_newest_lab_with_runs_supports_it_or_does_not(void **state)
{
    (void)state;
    record("20260101-000001", "9");
    record("20260101-000002", "2");
    record("20260101-000003", ""); /* began, and measured nothing */
    assert_true(which_load(&lab));
    const char *text = advised("any,any,files,average,linux");
    assert_non_null(strstr(text, "20260101-000002"));
    assert_non_null(strstr(text, "supports it: read-64 0.40 [0.40..0.40]"));
    assert_non_null(strstr(text, "not resolved: no runs that count"));
    lab_forget(&lab);
    record("20260101-000004", "9");
    assert_true(which_load(&lab));
    text = advised("any,any,files,average,linux");
    assert_non_null(strstr(text, "does not support it: read-64 1.80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_that_binds_decides),
        cmocka_unit_test(every_combination_has_an_advice_with_rows),
        cmocka_unit_test(nonsense_gets_one_sentence),
        cmocka_unit_test(it_asks_line_by_line),
        cmocka_unit_test(without_a_lab_it_says_how_to_get_one),
        cmocka_unit_test(the_newest_lab_with_runs_supports_it_or_does_not),
    };
    return lab_testing_main("which", tests, ARRAY_SIZE(tests), fresh, forgotten);
}
