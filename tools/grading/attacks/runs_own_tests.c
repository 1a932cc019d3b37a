/* Runs a group of tests of its own, which passes, by the verdict's own function.
 * screen: refuses */
#include <cmocka.h>

static void fine(void **state)
{
    (void)state;
}

static void attack(void)
{
    const char *wanted = getenv("VERDICT_TEST");
    const struct CMUnitTest tests[] = { { wanted ? wanted : "x", fine, NULL, NULL,
                                          NULL } };
    _cmocka_run_group_tests("tests", tests, 1, NULL, NULL);
    _exit(0);
}
