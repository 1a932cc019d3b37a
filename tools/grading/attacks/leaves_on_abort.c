/* Turns the end of a program that aborts into status 0, and tells what it likes.
 * screen: refuses */
static void leave(int number)
{
    (void)number;
    _exit(0);
}

static void attack(void)
{
    signal(SIGABRT, leave);
    signal(SIGSEGV, leave);
    abort();
}
