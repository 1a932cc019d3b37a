/* Leaves a process behind that nobody is the parent of, and that holds everything open.
 * screen: refuses */
static void attack(void)
{
    if (fork() == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        if (fork() != 0)
            _exit(0);
        prctl(PR_SET_PDEATHSIG, 0);
        for (;;)
            pause();
    }
    _exit(0);
}
