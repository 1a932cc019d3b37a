/* without_uring: runs a command in a world where io_uring is refused.
 *
 *     build/tools/without_uring EPERM make lesson3
 *     build/tools/without_uring ENOSYS@enter build/bin/demo_...
 *
 * Containers refuse io_uring with a seccomp filter; so does this program, with the same
 * few instructions, for the command and all its children. The errno is EPERM (Docker's
 * answer), ENOSYS (no such call) or ENOMEM (no locked memory left); the call is setup
 * unless @enter or @register says otherwise. Exit status: the command's. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int errno_named(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = { { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "ENOMEM", ENOMEM } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(name, known[i].name, strlen(known[i].name)) == 0)
            return known[i].value;
    return 0;
}

static unsigned call_named(const char *name)
{
    const char *at = strchr(name, '@');
    if (at && strcmp(at, "@enter") == 0)
        return SYS_io_uring_enter;
    if (at && strcmp(at, "@register") == 0)
        return SYS_io_uring_register;
    return SYS_io_uring_setup;
}

int main(int argc, char **argv)
{
    int err = argc > 2 ? errno_named(argv[1]) : 0;
    if (err == 0) {
        fprintf(stderr,
                "usage: %s EPERM|ENOSYS|ENOMEM[@setup|@enter|@register] COMMAND"
                "...\n",
                argv[0]);
        return 2;
    }
    /* The call's number is the same on every architecture (it is a young call). */
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call_named(argv[1]), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { .len = sizeof program / sizeof program[0],
                                 .filter = program };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
        fprintf(stderr, "%s: no seccomp filter here: %s\n", argv[0], strerror(errno));
        return 2;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "%s: cannot run %s: %s\n", argv[0], argv[2], strerror(errno));
    return 127;
}
