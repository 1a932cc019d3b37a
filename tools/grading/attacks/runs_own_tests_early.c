/* The same, before main.
 * screen: refuses */
#include <cmocka.h>

static void fine(void **state)
{
    (void)state;
}

__attribute__((constructor)) static void early(void)
{
    const char *wanted = getenv("VERDICT_TEST");
    const struct CMUnitTest tests[] = { { wanted ? wanted : "x", fine, NULL, NULL,
                                          NULL } };
    _cmocka_run_group_tests("tests", tests, 1, NULL, NULL);
    _exit(0);
}

static void attack(void)
{
}
