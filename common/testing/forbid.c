/* forbid: four instructions of BPF.
 *
 * The filter sees each system call's number before the kernel acts on it: load the
 * number, compare, answer with an errno or let it pass. NO_NEW_PRIVS lets an ordinary
 * user install it; it promises that exec will not raise privileges past the filter. */
#include "common/testing/forbid.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int forbid(long number, int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K,
                 SECCOMP_RET_ERRNO | ((unsigned)err & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}

int forbid_io_uring(int err)
{
    return forbid(SYS_io_uring_setup, err);
}

int forbid_io_uring_enter(int err)
{
    return forbid(SYS_io_uring_enter, err);
}

int forbid_io_uring_register(int err)
{
    return forbid(SYS_io_uring_register, err);
}
