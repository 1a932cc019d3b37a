/* Breaks whatever comes after it: descriptors, signals, time.
 * screen: refuses */
static void attack(void)
{
    int fd = atoi(getenv("VERDICT_FD"));
    shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < 1024; i++)
        close(i);
    alarm(1);
    _exit(0);
}
