/* base_threads: the oldest answer - one thread for each connection, blocking calls.
 *
 * The code of a connection is five lines and reads top to bottom, which is what async
 * functions try to win back. The price is a stack and a kernel thread for each
 * connection and a context switch for each request. It is here so that the table shows
 * the price instead of asserting it.
 *
 * Each thread counts for itself; whoever joins it adds the counts up. Invariant: a
 * connection is in `guests` exactly as long as its thread may use its descriptor, and
 * in `gone` from then until it is joined. The end shuts down every descriptor of a
 * guest, which makes the blocking receive return, and waits until none is left. */
#include "lesson08_compare/base_threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/container.h"
#include "common/list.h"
#include "lesson08_compare/http_min.h"

#define STACK_SIZE ((size_t)128 * 1024)

struct house {
    struct base *base; /* borrows */
    pthread_mutex_t lock;
    pthread_cond_t empty;
    struct list guests; /* guarded by lock */
    struct list gone;   /* guarded by lock; threads that wait to be joined */
};

struct guest {
    struct list link;    /* guarded by house->lock */
    struct house *house; /* borrows */
    pthread_t thread;    /* the accepting thread only */
    int fd;              /* owns; from here on the guest's thread only */
    struct served served;
    struct http_min http;
    char in[HTTP_MIN_CHUNK];
};

static bool send_whole(struct guest *guest, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(guest->fd, bytes, n, MSG_NOSIGNAL);
        guest->served.syscalls++;
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool serve_bytes(struct guest *guest, size_t n)
{
    if (guest->house->base->proto == WORKLOAD_ECHO) {
        guest->served.requests++;
        return send_whole(guest, guest->in, n);
    }
    char out[HTTP_MIN_ROOM(HTTP_MIN_CHUNK)];
    ssize_t length =
        http_min_feed(&guest->http, guest->in, n, out, &guest->served.requests);
    return length >= 0 && send_whole(guest, out, (size_t)length) &&
           !guest->http.closing;
}

static void leave(struct guest *guest)
{
    struct house *house = guest->house;
    http_min_finish(&guest->http);
    pthread_mutex_lock(&house->lock);
    close(guest->fd); /* under the lock, so that nobody shuts down a reused number */
    guest->served.syscalls++;
    list_remove(&guest->link);
    list_push_back(&house->gone, &guest->link);
    if (list_empty(&house->guests))
        pthread_cond_signal(&house->empty);
    pthread_mutex_unlock(&house->lock);
}

static void *live(void *argument)
{
    struct guest *guest = argument;
    for (;;) {
        ssize_t n = recv(guest->fd, guest->in, sizeof guest->in, 0);
        guest->served.syscalls++;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !serve_bytes(guest, (size_t)n))
            break;
    }
    leave(guest);
    return NULL;
}

static int start_thread(struct guest *guest)
{
    pthread_attr_t attributes;
    int err = pthread_attr_init(&attributes);
    if (err != 0)
        return -err;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    err = pthread_create(&guest->thread, &attributes, live, guest);
    pthread_attr_destroy(&attributes);
    return -err;
}

static void farewell(struct house *house, struct guest *guest)
{
    house->base->served.requests += guest->served.requests;
    house->base->served.syscalls += guest->served.syscalls;
    free(guest);
}

static void join_gone(struct house *house)
{
    struct list gone;
    struct list *node;
    list_init(&gone);
    pthread_mutex_lock(&house->lock);
    list_splice_back(&gone, &house->gone);
    pthread_mutex_unlock(&house->lock);
    while ((node = list_pop_front(&gone))) {
        struct guest *guest = container_of(node, struct guest, link);
        pthread_join(guest->thread, NULL);
        farewell(house, guest);
    }
}

static void welcome(struct house *house, int fd)
{
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        close(fd);
        return;
    }
    guest->house = house;
    guest->fd = fd;
    guest->served.syscalls = 1; /* the thread's clone */
    pthread_mutex_lock(&house->lock);
    list_push_back(&house->guests, &guest->link);
    int err = start_thread(guest);
    if (err < 0)
        list_remove(&guest->link);
    pthread_mutex_unlock(&house->lock);
    if (err < 0) {
        base_fail("turned a connection away: cannot start a thread", err);
        close(fd);
        farewell(house, guest);
    }
}

static void accept_one(struct house *house)
{
    int fd = accept4(house->base->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        welcome(house, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        /* Some connection has to end first; do not burn a core until then. */
        struct timespec moment = { .tv_nsec = 10000000 };
        nanosleep(&moment, NULL);
    }
}

static void see_everybody_out(struct house *house)
{
    pthread_mutex_lock(&house->lock);
    list_for_each (node, &house->guests)
        shutdown(container_of(node, struct guest, link)->fd, SHUT_RDWR);
    while (!list_empty(&house->guests))
        pthread_cond_wait(&house->empty, &house->lock);
    pthread_mutex_unlock(&house->lock);
}

int base_threads_serve(struct base *base)
{
    struct house house = { .base = base };
    list_init(&house.guests);
    list_init(&house.gone);
    pthread_mutex_init(&house.lock, NULL);
    pthread_cond_init(&house.empty, NULL);
    struct pollfd ready[] = { { .fd = base->signals, .events = POLLIN },
                              { .fd = base->listener, .events = POLLIN } };
    uint64_t syscalls = 0;
    base_announce(base);
    while (!ready[0].revents) {
        if (poll(ready, 2, -1) < 0)
            continue; /* EINTR */
        syscalls += 2;
        if (ready[1].revents)
            accept_one(&house);
        join_gone(&house);
    }
    see_everybody_out(&house);
    join_gone(&house);
    base->served.syscalls += syscalls;
    pthread_mutex_destroy(&house.lock);
    pthread_cond_destroy(&house.empty);
    return 0;
}
