/* http_session: from bytes to answers, in order.
 *
 * Problem: requests come in pieces, or many at once, or not at all; answers must go out in
 * the order of the requests, and one peer that is slow, silent or hostile may cost memory
 * and time only within limits. Idea: everything that needs no waiting - parsing,
 * answering into a buffer - is a plain function, `advance`, which says what it needs
 * next; the async function around it only waits. Invariants: bytes that advance has not
 * consumed are in the lent buffer or in `pending`; answers in `out` are in the order of
 * their requests, and `out` is sent before a file's answer is.
 *
 * An idle connection holds no input buffer: recv_lent brings one with the data.
 *
 * A request has one limit for all of it, however many pieces it comes in: a limit for
 * each piece would let a client hold a connection for ever with a byte now and then. */
#include "lesson07_custom/http_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum step {
    STEP_INPUT, /* needs more bytes */
    STEP_FLUSH, /* `out` is full */
    STEP_FILE,  /* self->file is to be sent */
    STEP_CLOSE, /* after what is in `out` */
};

/* A connection that closes early reads on for a while, so that the peer gets to see the
 * answer: closing with unread bytes would reset it (RFC 9112 section 9.6). */
#define LINGER_NS NS_PER_S
#define LINGER_READS 64

/* ---- answers */

static inline void write_answer(struct http_session *self)
{
    self->out_size +=
        http_answer_write(&self->answer, self->service, self->out + self->out_size,
                          sizeof self->out - self->out_size);
}

static bool is_hello(struct http_slice path)
{
    return path.size == 6 && memcmp(path.at, "/hello", 6) == 0;
}

/* The head is complete: decides what to answer, while its slices are still there. */
static void decide(struct http_session *self)
{
    const struct http_request *request = &self->request;
    struct http_answer *answer = &self->answer;
    *answer = (struct http_answer){
        .status = request->refusal,
        .connection = http_request_connection(request),
        .head_only = request->method == HTTP_METHOD_HEAD,
    };
    if (runtime_is_stopping(runtime_here()) && answer->connection != HTTP_CLOSES) {
        answer->connection = HTTP_CLOSES;
        self->unasked = true;
    }
    if (answer->status != 0 || is_hello(request->path))
        return;
    answer->status = 404;
    if (!self->service->has_files)
        return;
    int status;
    self->file = http_file_answer_create(self->service, self->source, request,
                                         answer->connection, &self->limit, &status);
    answer->status = self->file ? 200 : status;
}

/* The bytes make no sense: nobody knows where the next request starts. */
static enum step give_up(struct http_session *self, struct http_error error)
{
    self->answer = (struct http_answer){
        .status = error.status,
        .why = error.why,
        .connection = HTTP_CLOSES,
        .head_only = self->request.method == HTTP_METHOD_HEAD,
    };
    free(self->file);
    self->file = NULL;
    write_answer(self);
    self->lingers = true;
    return STEP_CLOSE;
}

/* The request is over: answers it, or says who will. */
static enum step conclude(struct http_session *self)
{
    runtime_count();
    self->in_request = false;
    self->in_body = false;
    self->until = 0;
    if (self->kept)
        io_source_drain_at_stop(self->source); /* idle again */
    self->kept = false;
    http_request_next(&self->request);
    if (self->file)
        return STEP_FILE;
    write_answer(self);
    return self->answer.connection == HTTP_CLOSES ? STEP_CLOSE : STEP_FLUSH;
}

/* ---- input */

static const char *lent_bytes(const struct http_session *self, size_t *left)
{
    const char *buffer = self->received.with.bytes.buffer;
    *left = buffer ? (size_t)self->received.result - self->lent_at : 0;
    return buffer ? buffer + self->lent_at : "";
}

static void give_back(struct http_session *self)
{
    if (self->received.with.bytes.buffer && self->received.result > 0)
        io_give_back(&self->received);
    self->received.with.bytes.buffer = NULL;
}

/* What is left of the lent buffer is the start of a request: keep it. */
static bool keep_rest(struct http_session *self)
{
    size_t left;
    const char *bytes = lent_bytes(self, &left);
    if (left == 0)
        return true;
    self->pending = malloc(http_default_limits.head);
    if (!self->pending)
        return false;
    memcpy(self->pending, bytes, left);
    self->pending_size = left;
    self->lent_at += left;
    return true;
}

/* Parses the head from `pending`, which takes from the lent buffer what it needs. */
static enum http_verdict parse_pending(struct http_session *self)
{
    size_t left;
    const char *bytes = lent_bytes(self, &left);
    size_t room = http_default_limits.head - self->pending_size;
    size_t moved = left < room ? left : room;
    memcpy(self->pending + self->pending_size, bytes, moved);
    self->pending_size += moved;
    self->lent_at += moved;
    enum http_verdict verdict =
        http_request_parse(&self->request, self->pending, self->pending_size);
    if (verdict == HTTP_COMPLETE) /* what is behind the head is still in the lent one */
        self->lent_at -= self->pending_size - self->request.head_size;
    return verdict;
}

static enum http_verdict parse_head(struct http_session *self)
{
    if (self->pending)
        return parse_pending(self);
    size_t left;
    const char *bytes = lent_bytes(self, &left);
    enum http_verdict verdict = http_request_parse(&self->request, bytes, left);
    if (verdict == HTTP_COMPLETE)
        self->lent_at += self->request.head_size;
    return verdict;
}

static void forget_pending(struct http_session *self)
{
    if (!self->pending)
        return;
    free(self->pending);
    self->pending = NULL;
    self->pending_size = 0;
}

/* Bytes of a new request are here. True: its head is complete, and its body is next. */
static bool begin_request(struct http_session *self, enum step *step)
{
    self->in_request = true;
    enum http_verdict verdict = parse_head(self);
    if (verdict != HTTP_COMPLETE) {
        *step = verdict == HTTP_ERROR ? give_up(self, self->request.error) : STEP_INPUT;
        return false;
    }
    decide(self);
    forget_pending(self);
    self->in_body = true;
    if (self->request.expects_continue) { /* it has a body, then */
        memcpy(self->out + self->out_size, HTTP_CONTINUE, sizeof HTTP_CONTINUE - 1);
        self->out_size += sizeof HTTP_CONTINUE - 1;
    }
    return true;
}

/* One step through the input; never waits. */
static enum step advance(struct http_session *self)
{
    size_t left, used;
    enum step step;
    lent_bytes(self, &left);
    if (sizeof self->out - self->out_size < HTTP_RESPONSE_ROOM)
        return STEP_FLUSH;
    if (left == 0)
        return STEP_INPUT;
    if (!self->in_body && !begin_request(self, &step))
        return step;
    if (!http_body_done(&self->request.body)) {
        const char *bytes = lent_bytes(self, &left);
        enum http_verdict verdict =
            http_body_skip(&self->request.body, bytes, left, &used);
        self->lent_at += used;
        if (verdict == HTTP_ERROR)
            return give_up(self, self->request.body.error);
        if (verdict == HTTP_NEED_MORE)
            return STEP_INPUT;
    }
    return conclude(self);
}

/* Goes on until something has to be waited for. */
static enum step advance_far(struct http_session *self)
{
    for (;;) {
        enum step step = advance(self);
        if (step != STEP_FLUSH ||
            sizeof self->out - self->out_size < HTTP_RESPONSE_ROOM)
            return step;
    }
}

/* Before waiting for input: the lent buffer goes back. False: no memory. */
static bool let_go_of_input(struct http_session *self)
{
    bool kept = self->lingers || self->pending || self->in_body || keep_rest(self);
    give_back(self);
    return kept;
}

/* What the service's patience leaves of a request, or of an idle connection's time. */
static uint64_t patience(struct http_session *self)
{
    if (!self->in_request && !self->lingers)
        return self->service->idle_ns;
    uint64_t now = timers_current_time();
    if (self->until == 0)
        self->until = clock_after(now, self->service->request_ns);
    return self->until > now ? self->until - now : 0;
}

/* Half a request is here: a stop shall wait for its rest, and not end our input. */
static void keep_source(struct http_session *self)
{
    if (self->in_request && !self->kept && !self->lingers) {
        io_source_keep_at_stop(self->source);
        self->kept = true;
    }
}

/* Before the close: is there, or may there be, input that nobody has read? */
static bool begin_to_linger(struct http_session *self)
{
    size_t left;
    lent_bytes(self, &left);
    if (!self->lingers && !self->unasked && left == 0)
        return false;
    self->lingers = true;
    self->until = clock_after(timers_current_time(), LINGER_NS);
    shutdown(self->source->fd, SHUT_WR);
    return true;
}

/* No bytes came: the time was over, the peer has gone, or we are cancelled. */
static bool ends_with_answer(struct http_session *self)
{
    static const struct http_error late = { 408, "the request took too long" };
    static const struct http_error cut = { 400, "the request ends in the middle" };
    if (!self->in_request || self->lingers)
        return false;
    if (self->limit.expired)
        give_up(self, late);
    else if (self->received.result == 0)
        give_up(self, cut);
    return self->out_size > 0;
}

/* ---- the task */

static void let_go_of_all(struct http_session *self)
{
    give_back(self);
    forget_pending(self);
    free(self->file);
    self->file = NULL;
}

static enum poll_state http_session_poll(struct future *future, struct context *context)
{
    struct http_session *self = ASYNC_SELF(http_session, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        self->step = (uint8_t)(self->lingers ? STEP_INPUT : advance_far(self));
        if (self->out_size > 0) {
            AWAIT_LIMITED(self->limit, self->service->send_ns, self->sent,
                          io_send(self->source, self->out, self->out_size));
            self->out_size = 0;
            if (self->sent.result < 0)
                break;
        }
        if (self->step == STEP_FLUSH)
            continue;
        if (self->step == STEP_FILE) {
            AWAIT_PLACED(&self->file->future);
            if (self->file->broken)
                break;
            free(self->file);
            self->file = NULL;
            if (self->answer.connection != HTTP_CLOSES)
                continue;
            self->step = STEP_CLOSE;
        }
        if (self->step == STEP_CLOSE && !begin_to_linger(self))
            break;
        if (!let_go_of_input(self))
            break;
        self->lent_at = 0;
        keep_source(self);
        AWAIT_LIMITED(self->limit, patience(self), self->received,
                      io_recv_lent(self->source));
        if (self->received.result > 0 &&
            (!self->lingers || ++self->lingered < LINGER_READS))
            continue;
        if (!ends_with_answer(self))
            break;
        AWAIT_LIMITED(self->limit, self->service->send_ns, self->sent,
                      io_send(self->source, self->out, self->out_size));
        break;
    }
    let_go_of_all(self);
    AWAIT_SHIELDED(self->sent, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops http_session_ops = ASYNC_OPS(http_session);

/* ---- the session, with a time-keeper beside it */

static enum poll_state http_visit_poll(struct future *future, struct context *context)
{
    struct http_visit *self = ASYNC_SELF(http_visit, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->keeper, timekeeper(&self->session.future, &self->session.limit));
    ASYNC_END;
}

static const struct future_ops http_visit_ops = ASYNC_OPS(http_visit);

struct http_visit http_visit(const struct http_service *service,
                             struct io_source *source)
{
    struct http_visit self = {
        .future = { &http_visit_ops },
        .session = { .future = { &http_session_ops },
                     .service = service,
                     .source = source },
    };
    http_request_init(&self.session.request, &http_default_limits);
    return self;
}
