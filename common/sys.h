/* sys: the system calls that a server makes all day, without what libc adds.
 *
 * glibc's recv and send are cancellation points: as soon as the process has a second
 * thread, each call switches asynchronous cancellation on and off around the system call,
 * which takes more instructions than the rest of the wrapper. No thread of the course is
 * ever cancelled (pthread_cancel), so nothing is lost without.
 *
 * Everything that goes round libc stands in this one file, as functions, not inline: so a
 * test can put itself between by the linker's --wrap, as with libc's own calls.
 *
 * Errors: negative errno. Threads: any. */
#ifndef COMMON_SYS_H
#define COMMON_SYS_H

#include <stddef.h>
#include <sys/types.h>

ssize_t sys_recv(int fd, void *buffer, size_t size, int flags);
ssize_t sys_send(int fd, const void *buffer, size_t size, int flags);

#endif
