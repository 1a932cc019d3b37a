/* Turns the status of a failed program into 0.
 * screen: refuses */
static void zero(void)
{
    _exit(0);
}

__attribute__((destructor)) static void late(void)
{
    _exit(0);
}

static void attack(void)
{
    atexit(zero);
}
