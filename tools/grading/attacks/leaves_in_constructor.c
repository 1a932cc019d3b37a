/* Ends the program before main.
 * screen: refuses */
__attribute__((constructor(101))) static void early(void)
{
    _exit(0);
}

static void attack(void)
{
}
