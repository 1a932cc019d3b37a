/* Looks at the processes around it, and at the grader's files.
 * screen: refuses */
static void show(const char *path)
{
    static char text[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    for (ssize_t i = 0; i < got; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    if (got > 0) {
        text[got] = '\0';
        if (strstr(text, "@SECRET@"))
            got_through(path);
    }
    if (fd >= 0)
        close(fd);
}

static void attack(void)
{
    char path[300];
    for (int pid = 1; pid < 33000; pid++) {
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        show(path);
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        show(path);
        snprintf(path, sizeof path, "/proc/%d/root@ROOT@/Makefile", pid);
        if (access(path, R_OK) == 0)
            got_through(path);
    }
    static const char *const closed[] = {
        "@ROOT@",
        "@ROOT@/tools/grading/@ID@/hidden.md",
        "@ROOT@/@MODULE@",
        "@OUT@",
        "/etc/passwd",
        "/etc/shadow",
        "/root",
        "/home",
        "/var",
        "/sys",
        "/course",
        "/job",
        "/proc/self/root@ROOT@",
        "/proc/1/cwd@ROOT@",
    };
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (access(closed[i], F_OK) == 0)
            got_through(closed[i]);
    int fd = open("/proc/self/exe", O_WRONLY);
    if (fd >= 0)
        got_through("its own program");
    for (fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && fd != atoi(getenv("VERDICT_FD")))
            got_through("a descriptor of the grader's");
}
