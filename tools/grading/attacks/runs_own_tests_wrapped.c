/* The same by the name that the linker gives the verdict's function, and with the names of
 * all tests, since it cannot ask which one runs.
 * screen: refuses */
struct own_test {
    const char *name;
    void (*test)(void **);
    void *setup, *teardown, *state;
};

int __wrap__cmocka_run_group_tests(const char *, const struct own_test *, size_t,
                                   void *, void *);

static void fine(void **state)
{
    (void)state;
}

static void attack(void)
{
    const struct own_test tests[] = { { "@TEST1@", fine, NULL, NULL, NULL },
                                      { "@TEST2@", fine, NULL, NULL, NULL } };
    __wrap__cmocka_run_group_tests("tests", tests, 2, NULL, NULL);
    exit(0);
}
