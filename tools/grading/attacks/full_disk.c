/* Fills and writes wherever it can.
 * screen: refuses */
static void fill(const char *folder, size_t most)
{
    static char piece[1 << 20];
    char name[300];
    size_t written = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%s/@MARK@%d", folder, i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            break;
        signal(SIGXFSZ, SIG_IGN);
        for (ssize_t got;
             (got = write(fd, piece, sizeof piece)) > 0 && written <= most;)
            written += (size_t)got;
    }
    if (written > most)
        got_through(folder);
    unlink(name);
}

static void attack(void)
{
    static const char *const outside[] = { "@ROOT@",   "@OUT@", "/",        "/usr",
                                           "/usr/lib", "/etc",  "/var/tmp", "/home",
                                           "/root",    "/dev",  "/proc",    "/program",
                                           "/course",  "/work", "/run" };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        fill(outside[i], 0);
    fill("/tmp", 80u << 20);
    fill("/dev/shm", 80u << 20);
}
