/* forbid: a machine that refuses io_uring, as containers do.
 *
 * Puts a seccomp filter on the calling thread and every child and thread that it makes
 * from now on; it cannot be taken off again. So call it in a forked child
 * (run_in_child) or just before exec (tools/without_uring.c), never in the test process
 * itself.
 *
 * Threads: the calling one. Errors: negative errno (-EINVAL: a kernel without seccomp).
 */
#ifndef COMMON_TESTING_FORBID_H
#define COMMON_TESTING_FORBID_H

/* From now on io_uring_setup fails with `err` (positive: EPERM, ENOSYS, ENOMEM, ...).
 */
int forbid_io_uring(int err);

/* Stranger filters: a ring can be made, but io_uring_enter, or io_uring_register, fails
 * with `err`. */
int forbid_io_uring_enter(int err);
int forbid_io_uring_register(int err);

#endif
