/* without_uring: runs a command in a world where io_uring is refused.
 *
 *     build/tools/without_uring EPERM make lesson3
 *     build/tools/without_uring ENOSYS@enter build/bin/demo_...
 *
 * Containers refuse io_uring with a seccomp filter; so does this program, for the command
 * and all its children (common/testing/forbid.h). The errno is EPERM (Docker's answer),
 * ENOSYS (no such call) or ENOMEM (no locked memory left); the call is setup unless
 * @enter or @register says otherwise. Exit status: the command's; 2: not even tried. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/testing/forbid.h"

/* 0: there is no such one. */
static int errno_named(const char *name, size_t length)
{
    static const struct {
        const char *name;
        int value;
    } known[] = { { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "ENOMEM", ENOMEM } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == length &&
            strncmp(name, known[i].name, length) == 0)
            return known[i].value;
    return 0;
}

/* "EPERM", "ENOSYS@enter", ...: 0, or -EINVAL for what is no such name. */
static int forbid_named(const char *name)
{
    static const struct {
        const char *name;
        int (*forbid)(int err);
    } known[] = { { "", forbid_io_uring },
                  { "@setup", forbid_io_uring },
                  { "@enter", forbid_io_uring_enter },
                  { "@register", forbid_io_uring_register } };
    size_t length = strcspn(name, "@");
    int err = errno_named(name, length);
    for (size_t i = 0; err && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name + length, known[i].name) == 0)
            return known[i].forbid(err) < 0 ? -ENOTSUP : 0;
    return -EINVAL;
}

int main(int argc, char **argv)
{
    int err = argc > 2 ? forbid_named(argv[1]) : -EINVAL;
    if (err == -EINVAL) {
        fprintf(stderr,
                "usage: %s EPERM|ENOSYS|ENOMEM[@setup|@enter|@register] COMMAND...\n",
                argv[0]);
        return 2;
    }
    if (err < 0) {
        fprintf(stderr, "%s: this machine lets nobody install a seccomp filter\n",
                argv[0]);
        return 2;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "%s: cannot run %s: %s\n", argv[0], argv[2], strerror(errno));
    return 127;
}
