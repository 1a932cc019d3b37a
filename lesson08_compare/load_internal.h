/* load_internal: shared by load.c (time) and load_connection.c (bytes). */
#ifndef LESSON08_LOAD_INTERNAL_H
#define LESSON08_LOAD_INTERNAL_H

#include "lesson08_compare/load.h"

struct load_connection {
    int fd; /* owns; -1 when lost */
    unsigned index;
    bool busy;          /* a request is out and not completely answered */
    uint32_t sent, got; /* bytes of the current request and of its answer */
    uint64_t since;     /* the instant from which its latency counts, ns */
    uint64_t started;   /* requests begun */
    uint64_t measured;  /* requests that count */
};

struct load {
    const struct load_plan *plan;        /* borrows */
    struct load_result *result;          /* borrows */
    struct load_connection *connections; /* owns; plan->connections of them */
    int epoll;                           /* owns */
    bool coarse; /* no epoll_pwait2: Linux before 5.11, valgrind, some containers */
    unsigned alive;
    unsigned busy;
    bool stopping; /* a closed loop sends nothing new */
    /* Time: all in ns of clock_now(). */
    uint64_t start;        /* of the whole run */
    uint64_t measure_from; /* start + warm-up */
    uint64_t measure_to;   /* CLOCK_NEVER when a count ends the run */
    /* Open loop. */
    uint64_t due; /* requests that have become due so far */
    /* Bytes. */
    const char *message; /* borrows or owns (echo): what is sent, but for the stamp */
    const char *answer;  /* borrows; echo: what must come back, but for the stamp */
    uint32_t message_size, answer_size;
    char *pattern; /* owns; the echo message */
};

/* load_connection.c. All of them note errors in the result. */
int load_connect_all(struct load *load);
void load_disconnect_all(struct load *load);
void load_lost(struct load *load, struct load_connection *c, const char *why);

/* Sends as much of the current request as the socket takes. */
void load_send(struct load *load, struct load_connection *c);

/* Receives and compares; true when the answer is complete. */
bool load_receive(struct load *load, struct load_connection *c);

/* The instant at which this connection's request number n is due (open loop). */
uint64_t load_due_at(const struct load *load, const struct load_connection *c,
                     uint64_t n);

#endif
