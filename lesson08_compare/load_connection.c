/* load_connection: the bytes of one request, out and back.
 *
 * A request is a fixed pattern. In echo, its first eight bytes are replaced by a stamp
 * (connection, number), so that every message differs from all that were ever sent, and
 * the pattern itself can be shared: a comparison is a stamp and a memcmp. */
#include "lesson08_compare/load_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/errname.h"

#define STAMP_SIZE 8
#define RECEIVE_SIZE 65536

void load_lost(struct load *load, struct load_connection *c, const char *why)
{
    struct load_result *result = load->result;
    result->errors++;
    if (!result->error[0])
        snprintf(result->error, sizeof result->error, "connection %u, request %llu: %s",
                 c->index, (unsigned long long)c->started, why);
    if (c->busy)
        load->busy--;
    c->busy = false;
    close(c->fd);
    c->fd = -1;
    load->alive--;
}

static void lost_errno(struct load *load, struct load_connection *c, int err)
{
    char why[100];
    snprintf(why, sizeof why, "%s (%s)", errtext(err), errname(err));
    load_lost(load, c, why);
}

static size_t stamp_size(const struct load *load)
{
    if (load->plan->proto != WORKLOAD_ECHO)
        return 0;
    return load->message_size < STAMP_SIZE ? load->message_size : STAMP_SIZE;
}

static void make_stamp(const struct load_connection *c, char stamp[STAMP_SIZE])
{
    uint32_t words[2] = { c->index, (uint32_t)c->started };
    memcpy(stamp, words, STAMP_SIZE);
    /* Messages shorter than the stamp still differ from one to the next. */
    stamp[0] = (char)(stamp[0] ^ stamp[4]);
}

void load_send(struct load *load, struct load_connection *c)
{
    char stamp[STAMP_SIZE];
    size_t stamped = stamp_size(load);
    make_stamp(c, stamp);
    while (c->sent < load->message_size) {
        size_t from_stamp = c->sent < stamped ? stamped - c->sent : 0;
        size_t at = c->sent + from_stamp;
        struct iovec parts[] = {
            { stamp + c->sent * (from_stamp > 0), from_stamp },
            { (void *)(uintptr_t)(load->message + at), load->message_size - at },
        };
        struct msghdr header = { .msg_iov = parts + (from_stamp == 0),
                                 .msg_iovlen = from_stamp == 0 ? 1 : 2 };
        ssize_t n = sendmsg(c->fd, &header, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                lost_errno(load, c, errno);
            return; /* EAGAIN: the writable edge will bring us back */
        }
        c->sent += (uint32_t)n;
    }
}

static bool as_expected(const struct load *load, const struct load_connection *c,
                        const char *bytes, size_t n)
{
    char stamp[STAMP_SIZE];
    if (load->plan->proto == WORKLOAD_HTTP)
        return workload_response_matches(c->got, bytes, n);
    size_t stamped = stamp_size(load);
    size_t head = c->got < stamped ? stamped - c->got : 0;
    if (head > n)
        head = n;
    if (head > 0) {
        make_stamp(c, stamp);
        if (memcmp(bytes, stamp + c->got, head) != 0)
            return false;
    }
    return memcmp(bytes + head, load->answer + c->got + head, n - head) == 0;
}

bool load_receive(struct load *load, struct load_connection *c)
{
    static char bytes[RECEIVE_SIZE];
    for (;;) {
        /* One byte more than is missing: an answer that is too long is wrong as well.
         */
        size_t missing = load->answer_size - c->got;
        size_t room = missing + 1 < sizeof bytes ? missing + 1 : sizeof bytes;
        ssize_t n = recv(c->fd, bytes, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                lost_errno(load, c, errno);
            return false;
        }
        if (n == 0) {
            load_lost(load, c, "the server closed the connection");
            return false;
        }
        if (!c->busy || (size_t)n > missing) {
            load_lost(load, c, "the server sent more than it was asked for");
            return false;
        }
        if (!as_expected(load, c, bytes, (size_t)n)) {
            load_lost(load, c, "the answer differs from what was expected");
            return false;
        }
        c->got += (uint32_t)n;
        if (c->got == load->answer_size)
            return true;
        if ((size_t)n < room)
            return false; /* a short read: the socket is empty, an edge will come */
    }
}

static int connect_one(struct load *load, struct load_connection *c,
                       const struct sockaddr_in *address)
{
    int one = 1;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = c };
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (c->fd < 0)
        return -errno;
    /* Blocking on purpose: at most as many at once as the server's backlog takes. */
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        int err = -errno;
        close(c->fd);
        c->fd = -1;
        return err;
    }
    return 0;
}

static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int load_connect_all(struct load *load)
{
    const struct load_plan *plan = load->plan;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(plan->port) };
    if (inet_pton(AF_INET, plan->address, &address.sin_addr) != 1) {
        snprintf(load->result->error, sizeof load->result->error,
                 "'%s' is no IPv4 address", plan->address);
        return -EINVAL;
    }
    raise_fd_limit();
    for (unsigned i = 0; i < plan->connections; i++) {
        struct load_connection *c = &load->connections[i];
        c->index = i;
        int err = connect_one(load, c, &address);
        if (err < 0) {
            snprintf(load->result->error, sizeof load->result->error,
                     "connection %u of %u failed: %s (%s)%s", i + 1, plan->connections,
                     errtext(err), errname(err),
                     err == -EMFILE ? "; raise the limit with ulimit -n" : "");
            return err;
        }
        load->alive++;
    }
    return 0;
}

void load_disconnect_all(struct load *load)
{
    for (unsigned i = 0; i < load->plan->connections; i++)
        if (load->connections[i].fd >= 0)
            close(load->connections[i].fd);
}
