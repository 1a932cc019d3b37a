/* echo_conn: one connection of the echo server, as a state machine.
 *
 * Two states that wait and one that is over; echo_conn.c has the diagram. What a
 * blocking server keeps on its stack (where it is, what it has read, how much of it is
 * sent) is kept here, member by member.
 *
 * Ownership: a connection owns its descriptor and its buffer; the machine owns the
 * connection, from echo_conn_open until echo_conn_free_dead. Threads: the machine's. */
#ifndef LESSON04_ECHO_CONN_H
#define LESSON04_ECHO_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"

struct echo_machine;

/* What the poller's user pointer points to: whom to call. First member of everything
 * that the machine watches. */
struct watch {
    void (*on_event)(struct watch *watch, uint32_t events);
};

enum echo_state {
    ECHO_READING, /* the buffer is empty: bytes are wanted */
    ECHO_WRITING, /* the buffer holds bytes that must go back first */
    ECHO_CLOSED   /* over; the memory stays until the batch is finished */
};

#define ECHO_BUFFER 16384

struct echo_conn {
    struct watch watch;
    struct echo_machine *machine; /* borrows */
    struct list link;             /* in machine->open, and in machine->dead after it */
    struct list again;            /* in machine->again while it has used up its turn */
    int fd;                       /* owns; -1 when closed */
    enum echo_state state;
    bool may_read;  /* set by an event, cleared by EAGAIN and by nothing else (R1) */
    bool may_write; /* likewise */
    size_t filled;  /* bytes in the buffer */
    size_t sent;    /* of these, how many have gone back */
    unsigned char buffer[ECHO_BUFFER];
};

/* Consumes `fd`, a connected non-blocking stream socket, also when it fails (-ENOMEM,
 * or what epoll_ctl said). Closes the oldest connection if the machine is full. */
int echo_conn_open(struct echo_machine *machine, int fd);

/* Goes on where the connection stopped, for one turn. */
void echo_conn_advance(struct echo_conn *conn);

/* Ends it: no event, no descriptor, no callback after this; its memory stays. */
void echo_conn_close(struct echo_conn *conn);

/* Frees what was closed. Only when no event of the last wait is left to be handled. */
void echo_conn_free_dead(struct echo_machine *machine);

#endif
