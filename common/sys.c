/* sys: the kernel's own convention, which libc hides: a number and up to six arguments in
 * registers, and in return a result or a negative errno.
 *
 * Under a sanitizer these are libc's calls after all. It watches those only: who wrote the
 * buffer, and what a message from one thread to another puts in order. */
#include "common/sys.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/memcheck.h"

#if defined(MEMCHECK_ASAN) || defined(MEMCHECK_TSAN)

static long receive(int fd, void *buffer, size_t size, int flags)
{
    ssize_t n = recv(fd, buffer, size, flags);
    return n < 0 ? -errno : n;
}

static long transmit(int fd, const void *buffer, size_t size, int flags)
{
    ssize_t n = send(fd, buffer, size, flags);
    return n < 0 ? -errno : n;
}

#else

/* Of the six arguments, the last two are zero here: no address. */
static inline long call(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = 0;
    long result;
    __asm__ volatile("syscall" /* which overwrites rcx and r11 */
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth),
                       "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, a, b, c, d, 0L, 0L);
    return result < 0 ? -errno : result;
#endif
}

static long receive(int fd, void *buffer, size_t size, int flags)
{
    return call(SYS_recvfrom, fd, (long)(intptr_t)buffer, (long)size, flags);
}

static long transmit(int fd, const void *buffer, size_t size, int flags)
{
    return call(SYS_sendto, fd, (long)(intptr_t)buffer, (long)size, flags);
}

#endif

ssize_t sys_recv(int fd, void *buffer, size_t size, int flags)
{
    return receive(fd, buffer, size, flags);
}

ssize_t sys_send(int fd, const void *buffer, size_t size, int flags)
{
    return transmit(fd, buffer, size, flags);
}
