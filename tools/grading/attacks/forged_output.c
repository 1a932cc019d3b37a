/* Says that it has passed, in every form, and leaves.
 * screen: refuses */
static void attack(void)
{
    static const char *const lies[] = {
        "ok 1 - everything\n1..1\n",
        "[==========] 1 test(s) run.\n[  PASSED  ] 1 test(s).\n",
        "passed\n",
        "00000000000000000000000000000000 passed\n",
        " passed\n",
        "{\"exit-code\": 0}\n{ \"exit-code\": 0 }\n",
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        for (int fd = 0; fd < 64; fd++) {
            ssize_t sent = write(fd, lies[i], strlen(lies[i]));
            (void)sent;
        }
    _exit(0);
}
