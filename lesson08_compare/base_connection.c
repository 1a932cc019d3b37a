/* base_connection: a queue of filled buffers in, one answer at a time out.
 *
 * See base_uring.c for the why. `advance` looks at the flags and takes every step that
 * has become possible; it is called after each completion, so no step needs to know
 * which of the others comes last. */
#include "lesson08_compare/base_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/memcheck.h"

#define HOARD_LIMIT 16

static void arm_receive(struct base_loop *loop, struct base_connection *c)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = POOL_GROUP;
    base_loop_tag(loop, sqe, c, ON_RECEIVE);
    c->receiving = true;
}

void base_connection_open(struct base_loop *loop, int fd)
{
    struct base_connection *c = calloc(1, sizeof *c);
    if (!c) {
        struct io_uring_sqe *sqe = base_loop_sqe(loop);
        io_uring_prep_close(sqe, fd);
        base_loop_tag(loop, sqe, NULL, ON_CLOSE);
        return;
    }
    c->fd = fd;
    c->head = c->tail = NO_BUFFER;
    list_init(&c->hunger);
    list_push_back(&loop->connections, &c->link);
    arm_receive(loop, c);
}

static void enqueue(struct base_loop *loop, struct base_connection *c, uint16_t id,
                    int length)
{
    loop->next[id] = NO_BUFFER;
    loop->filled[id] = (uint16_t)length;
    if (c->head == NO_BUFFER)
        c->head = id;
    else
        loop->next[c->tail] = id;
    c->tail = id;
    c->held++;
}

static void drop_head(struct base_loop *loop, struct base_connection *c)
{
    uint16_t id = c->head;
    c->head = loop->next[id];
    c->held--;
    base_pool_give_back(&loop->pool, id);
}

static void send_rest(struct base_loop *loop, struct base_connection *c)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_send(sqe, c->fd, c->at, c->left, MSG_NOSIGNAL | MSG_WAITALL);
    base_loop_tag(loop, sqe, c, ON_SEND);
    c->sending = true;
}

/* Turns the first filled buffer into an answer; false: it made none. */
static bool answer_head(struct base_loop *loop, struct base_connection *c)
{
    uint16_t id = c->head;
    if (loop->base->proto == WORKLOAD_ECHO) {
        loop->base->served.requests++;
        c->at = base_pool_buffer(&loop->pool, id); /* given back when it is sent */
        c->left = loop->filled[id];
        return true;
    }
    ssize_t n = -ENOMEM;
    if (c->out || (c->out = malloc(HTTP_MIN_ROOM(POOL_BUFFER_SIZE))))
        n = http_min_feed(&c->http, base_pool_buffer(&loop->pool, id), loop->filled[id],
                          c->out, &loop->base->served.requests);
    drop_head(loop, c);
    if (n < 0)
        c->broken = true;
    c->at = c->out;
    c->left = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void cancel_receive(struct base_loop *loop, struct base_connection *c)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)c | ON_RECEIVE, 0);
    base_loop_tag(loop, sqe, c, ON_CANCEL);
    c->cancelling = true;
}

static void shut_down(struct base_loop *loop, struct base_connection *c)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_shutdown(sqe, c->fd, SHUT_RDWR); /* the receive ends with it */
    base_loop_tag(loop, sqe, c, ON_SHUTDOWN);
    c->shutting = true;
}

void base_connection_free(struct base_loop *loop, struct base_connection *c)
{
    while (c->head != NO_BUFFER)
        drop_head(loop, c);
    list_remove(&c->link);
    list_remove(&c->hunger);
    http_min_finish(&c->http);
    free(c->out);
    free(c);
}

void base_connection_advance(struct base_loop *loop, struct base_connection *c)
{
    while (!c->sending && !c->broken && !c->http.closing && c->head != NO_BUFFER)
        if (answer_head(loop, c))
            send_rest(loop, c);
    bool over = c->broken || (!c->sending && (c->ended || c->http.closing));
    if (!over) {
        bool full = c->held >= HOARD_LIMIT;
        if (full && c->receiving && !c->cancelling)
            cancel_receive(loop, c);
        else if (!full && !c->receiving && !c->ended && list_empty(&c->hunger))
            arm_receive(loop, c);
        return;
    }
    if (c->receiving && !c->shutting)
        shut_down(loop, c);
    if (c->receiving || c->sending || c->cancelling || c->shutting)
        return;
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_close(sqe, c->fd);
    base_loop_tag(loop, sqe, NULL, ON_CLOSE);
    base_connection_free(loop, c);
}

void base_connection_received(struct base_loop *loop, struct base_connection *c,
                              const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        c->receiving = false;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        if (cqe->res > 0) {
            MEM_KERNEL_FILLED(base_pool_buffer(&loop->pool, id), (size_t)cqe->res);
            enqueue(loop, c, id, cqe->res);
        } else {
            base_pool_give_back(&loop->pool, id);
        }
    }
    if (cqe->res == -EINVAL)
        loop->failure = base_fail("this kernel has no multishot receive", cqe->res);
    else if (cqe->res == -ENOBUFS)
        list_push_back(&loop->starving, &c->hunger);
    else if (cqe->res == 0)
        c->ended = true;
    else if (cqe->res < 0 && cqe->res != -ECANCELED && cqe->res != -EINTR)
        c->ended = c->broken = true;
}

void base_connection_sent(struct base_loop *loop, struct base_connection *c, int result)
{
    c->sending = false;
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        c->broken = true;
        return;
    }
    if (result > 0) {
        c->at += result;
        c->left -= (size_t)result;
    }
    if (c->left > 0)
        send_rest(loop, c);
    else if (loop->base->proto == WORKLOAD_ECHO)
        drop_head(loop, c);
}
