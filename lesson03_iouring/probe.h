/* probe: does this machine let us use io_uring, and which parts of it?
 *
 * Never by kernel version: distributions backport, containers forbid. The probe makes a
 * ring, sends one NOP through it (a filter may let the setup pass and refuse the rest),
 * and then tries each optional feature once.
 *
 * When the answer is no, it says which no: the same EPERM comes from a sysctl and from
 * a container's seccomp filter, and each has another remedy (RULES C14).
 *
 * Ownership: plain data, nothing to release. Threads: any; a few system calls each
 * time, so keep the answer. */
#ifndef LESSON03_PROBE_H
#define LESSON03_PROBE_H

#include <stdbool.h>

enum ring_refusal {
    RING_ALLOWED,
    RING_NOT_IN_KERNEL,  /* ENOSYS: too old, built without, or a filter that says so */
    RING_OFF_FOR_ALL,    /* EPERM, kernel.io_uring_disabled = 2 */
    RING_OFF_FOR_USERS,  /* EPERM, kernel.io_uring_disabled = 1 */
    RING_FILTERED,       /* EPERM or EACCES, and the sysctl allows it: a filter */
    RING_NO_MEMORY,      /* ENOMEM: the limit on locked memory, or a filter */
    RING_NO_DESCRIPTORS, /* EMFILE, ENFILE */
    RING_TOO_OLD,        /* it works, but lacks what this course needs */
    RING_OTHER,          /* anything else; the sentence has the errno's name */
};

struct ring_features {
    bool defer_taskrun;    /* SINGLE_ISSUER | DEFER_TASKRUN */
    bool multishot_accept; /* one SQE, a CQE for each connection */
    bool multishot_recv;   /* one SQE, a CQE for each arrival; needs buffer_ring */
    bool buffer_ring;      /* the kernel picks a buffer when data is there */
    bool cancel_any;       /* one request cancels everything in flight */
    bool sqpoll; /* a kernel thread looks at the SQ: no system call to submit */
};

struct ring_probe {
    enum ring_refusal refusal;
    int err;            /* 0 or the negative errno that refusal was derived from */
    char sentence[320]; /* which, why, what to do; "io_uring works." when it does */
    struct ring_features features; /* all false when refused */
};

/* Fills *probe; returns its err, so 0 means that io_uring can be used. */
int ring_probe(struct ring_probe *probe);

/* The two halves of the answer, for whoever holds an errno of its own. `disabled` is
 * the value of kernel.io_uring_disabled, -1 when the kernel has no such sysctl. */
enum ring_refusal ring_refusal_of(int err, int disabled);
void ring_refusal_explain(enum ring_refusal refusal, int err, char *text, int size);

/* Both at once, asking the sysctl: what to print when ring_init returned err. */
void ring_explain(int err, char *text, int size);

/* The value of kernel.io_uring_disabled: 0, 1, 2, or -1. */
int ring_disabled_sysctl(void);

#endif
