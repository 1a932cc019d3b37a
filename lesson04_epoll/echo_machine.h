/* echo_machine: an echo server made of callbacks, without a single future.
 *
 * This is how event-driven servers were written for decades: one thread, one poller, a
 * callback for each event, and for each connection a state machine that somebody keeps
 * in their head. It is correct, it is fast, and lesson 5 exists because of what it
 * looks like.
 *
 * Ownership: the machine owns its poller, its listener and its connections. Threads:
 * one thread inits, steps and finishes it; echo_machine_stop may be called from any
 * thread and from a signal handler. Errors: negative errno. Time-outs: nanoseconds. */
#ifndef LESSON04_ECHO_MACHINE_H
#define LESSON04_ECHO_MACHINE_H

#include <stdatomic.h>

#include "common/notifier.h"
#include "lesson04_epoll/echo_conn.h"
#include "lesson04_epoll/poller.h"

struct echo_options {
    uint16_t port;   /* on 127.0.0.1; 0: any free one */
    size_t read_max; /* bytes a read asks for; 0: the whole buffer */
    unsigned turn;   /* system calls before others get their turn; 0: 16 */
    unsigned
        max_connections; /* 0: no limit; else the oldest is closed for the newest */
    int send_buffer;     /* SO_SNDBUF of each connection; 0: the system's */
};

/* How long accept rests when there is no descriptor left, not even to refuse with. */
#define ECHO_ACCEPT_PAUSE_MS 100

struct echo_stats {
    uint64_t waits;          /* sleeps in the kernel */
    uint64_t accepted;       /* connections opened */
    uint64_t failed;         /* accepted, but given up for want of memory or of epoll */
    uint64_t shed;           /* refused for want of descriptors, politely */
    uint64_t pauses;         /* times that accept rested */
    uint64_t reads;          /* that returned bytes */
    uint64_t writes;         /* that took bytes */
    uint64_t partial_writes; /* of these, that did not take all */
    uint64_t postponed;      /* turns that ended with work left */
    uint64_t bytes;          /* sent back */
    uint64_t ended;          /* connections closed after the peer's FIN */
    uint64_t broken;         /* connections closed after an error */
    uint64_t evicted;        /* connections closed to make room */
    uint64_t stale;          /* events for a connection that was closed earlier in the
                                same batch */
    uint64_t wakes;          /* events of the notifier */
};

struct echo_machine {
    /* owner thread only */
    struct poller poller;
    struct watch listener_watch;
    struct watch wake_watch;
    struct echo_options options;
    int listener;             /* owns */
    int reserve;              /* owns; a descriptor to give up when there are no more */
    bool may_accept;          /* set by an event, cleared by EAGAIN (R1) */
    uint64_t accept_again_at; /* clock_now() time; 0: accept is not resting */
    unsigned connections;     /* length of `open` */
    struct list open;         /* oldest first */
    struct list again;        /* connections with work left that no event will report */
    struct list dead;         /* closed, to be freed after the batch */
    struct echo_stats stats;
    /* any thread */
    struct notifier wake;
    _Atomic bool stop;
};

/* Listens. -EADDRINUSE, -EMFILE, -ENOMEM ... */
int echo_machine_init(struct echo_machine *machine, const struct echo_options *options);

/* Closes everything; NULL or a zeroed machine is fine. */
void echo_machine_finish(struct echo_machine *machine);

uint16_t echo_machine_port(const struct echo_machine *machine);

/* One wait of at most `timeout_ns` (POLLER_FOREVER), and all that follows from it.
 * Returns how many events there were. */
int echo_machine_step(struct echo_machine *machine, int64_t timeout_ns);

/* Steps until somebody calls stop; 0, or the error of the wait. */
int echo_machine_run(struct echo_machine *machine);

void echo_machine_stop(struct echo_machine *machine);

/* Inside the lesson: echo_accept.c. */
void echo_accept_on_event(struct watch *watch, uint32_t events);
void echo_accept_some(struct echo_machine *machine);

#endif
