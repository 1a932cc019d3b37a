/* Each call that this lesson makes, and each operation that it hands to a ring, fails once,
 * in its turn (common/testing/FAULTS.md). */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson03_iouring/copy.h"
#include "lesson03_iouring/raw_ring.h"
#include "lesson03_iouring/ring_buffers.h"
#include "lesson03_iouring/ring_future.h"
#include "lesson03_iouring/ring_parker.h"
#include "lesson03_iouring/ring_whole.h"

/* ---- raw_ring */

static int nop_by_hand(void *argument)
{
    struct raw_ring ring;
    struct raw_completion done = { .user_data = 0 };
    (void)argument;
    int err = raw_ring_init(&ring, 4);
    if (err < 0)
        return err;
    raw_ring_nop(&ring, 7);
    err = raw_ring_enter(&ring, 1);
    if (err == -EINTR || err == -EAGAIN) /* the entry is still queued (C7) */
        err = raw_ring_enter(&ring, 1);
    bool came = raw_ring_pop(&ring, &done);
    raw_ring_finish(&ring);
    FAULT_EXPECT(err < 0 || (came && done.user_data == 7));
    return err < 0 ? err : 0;
}

static void C7_a_bare_ring_keeps_what_an_enter_did_not_take(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "io_uring_setup", ENOMEM, FAULT_REPORTED },
        { "io_uring_setup", EPERM, FAULT_REPORTED },
        { "io_uring_setup", EMFILE, FAULT_REPORTED },
        { "io_uring_enter", EINTR, FAULT_SURVIVED },
        { "io_uring_enter", EAGAIN, FAULT_SURVIVED },
        { "io_uring_enter", EBUSY, FAULT_REPORTED },
        { "mmap", ENOMEM, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    SWEEP(nop_by_hand, NULL, faults);
}

/* ---- ring */

/* Waits and reaps until nothing is in flight; the errors that only mean "later" are not
 * the ring's end. */
static int turn_until_idle(struct ring *ring, bool shared)
{
    while (ring_in_flight(ring) > 0) {
        int err = shared ? ring_submit(ring) : ring_wait(ring, -1);
        if (err == 0 && shared)
            err = ring_sleep(ring, -1);
        if (err && err != -EAGAIN && err != -EBUSY)
            return err;
        ring_reap(ring);
    }
    return 0;
}

static int many_nops(void *argument)
{
    struct ring_config config = *(struct ring_config *)argument;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    struct ring ring;
    int err = ring_init(&ring, &config);
    if (err < 0)
        return err;
    for (int i = 0; err == 0 && i < 20; i++) { /* more than fit into either queue */
        struct io_uring_sqe *sqe = ring_get_sqe(&ring);
        if (!sqe) { /* C6: reap, and it takes some again */
            ring_wait(&ring, 0);
            ring_reap(&ring);
            i--;
            continue;
        }
        io_uring_prep_nop(sqe);
        ring_op_attach(sqe, &nop.op);
    }
    err = turn_until_idle(&ring, config.mode == RING_SHARED);
    if (err < 0) /* the ring works again: only one call failed */
        turn_until_idle(&ring, false);
    bool all = nop.completions == 20;
    ring_finish(&ring);
    FAULT_EXPECT(all);
    return err;
}

static void C6_C7_a_ring_loses_no_operation_when_an_enter_fails(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "io_uring_queue_init_params", ENOMEM, FAULT_REPORTED },
        { "io_uring_queue_init_params", EMFILE, FAULT_REPORTED },
        { "io_uring_queue_init_params", ENOSYS, FAULT_REPORTED },
        { "io_uring_register_ring_fd", EINVAL, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit", EAGAIN, FAULT_SURVIVED },
        { "io_uring_submit", EBUSY, FAULT_SURVIVED },
        { "io_uring_submit", EINTR, FAULT_SURVIVED },
        { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
        /* the round trip that asks whether the ring works at all takes it for a no */
        { "io_uring_submit_and_wait_timeout", EAGAIN, FAULT_EITHER },
        { "io_uring_submit_and_wait_timeout", EBUSY, FAULT_EITHER },
        { "io_uring_submit_and_wait_timeout", ENOMEM, FAULT_EITHER },
        { "io_uring_submit_and_get_events", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit_and_get_events", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_get_events", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_get_events", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_wait_cqes", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "__io_uring_get_cqe", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
        { "ppoll", EINTR, FAULT_SURVIVED | FAULT_RARE }, /* under valgrind */
    };
    struct ring_config single = { .entries = 4, .cq_entries = 8, .mode = RING_SINGLE };
    struct ring_config shared = { .entries = 4, .cq_entries = 8, .mode = RING_SHARED };
    SWEEP(many_nops, &single, faults);
    SWEEP(many_nops, &shared, faults);
}

static void C6_a_kernel_thread_that_is_not_waited_for_is_asked_again(void **state)
{
    (void)state;
    needs_feature(sqpoll);
    static const struct fault faults[] = {
        { "__io_uring_sqring_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit", EAGAIN, FAULT_SURVIVED },
    };
    struct ring_config sqpoll = { .entries = 2, .sqpoll = true, .sqpoll_idle_ms = 1 };
    SWEEP(many_nops, &sqpoll, faults);
}

/* ---- probe */

static int ask(void *argument)
{
    struct ring_probe probe;
    (void)argument;
    int err = ring_probe(&probe);
    FAULT_EXPECT((probe.refusal == RING_ALLOWED) == (err == 0));
    FAULT_EXPECT(probe.err == err);
    return err;
}

static void C14_the_probe_takes_no_for_an_answer_but_no_interruption(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "io_uring_queue_init_params", EMFILE,
          FAULT_EITHER }, /* the first ring counts */
        { "io_uring_queue_init_params", EPERM, FAULT_EITHER },
        { "io_uring_submit_and_wait_timeout", EPERM, FAULT_EITHER },
        { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
        { "io_uring_register_buf_ring", EINVAL, FAULT_SURVIVED },
        { "__io_uring_get_cqe", EAGAIN, FAULT_EITHER | FAULT_RARE },
        { "socketpair", EMFILE, FAULT_SURVIVED },
        { "send", ENOBUFS, FAULT_SURVIVED },
        { "mmap", ENOMEM, FAULT_SURVIVED },
        { "fopen", EMFILE, FAULT_SURVIVED },
        { "close", EINTR, FAULT_SURVIVED },
        { "fclose", EIO, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(ask, NULL, faults);
}

/* ---- ring_buffers */

static int register_everything(void *argument)
{
    struct ring_config config = { .entries = 4 };
    struct ring_buffers buffers = { .ring = NULL };
    struct ring ring;
    char page[4096];
    struct iovec region = { page, sizeof page };
    int files[] = { STDIN_FILENO };
    (void)argument;
    fault_pause();
    int err = ring_init(&ring, &config);
    fault_resume();
    if (err < 0)
        return err;
    err = ring_buffers_init(&buffers, &ring, 1, 4, 16);
    if (err == 0)
        err = ring_register_buffers(&ring, &region, 1);
    if (err == 0)
        err = ring_register_files(&ring, files, 1);
    ring_buffers_finish(&buffers);
    ring_finish(&ring);
    return err;
}

static void what_cannot_be_registered_is_reported(void **state)
{
    (void)state;
    needs_feature(buffer_ring);
    static const struct fault faults[] = {
        { "mmap", ENOMEM, FAULT_REPORTED },
        { "io_uring_register_buf_ring", ENOMEM, FAULT_REPORTED },
        { "io_uring_register_buf_ring", EINVAL, FAULT_REPORTED },
        { "io_uring_register_buffers", ENOMEM, FAULT_REPORTED },
        { "io_uring_register_files", EMFILE, FAULT_REPORTED },
    };
    SWEEP(register_everything, NULL, faults);
}

/* ---- ring_future: each operation */

struct scene {
    struct ring ring;
    int err; /* the first that was reported */
};

/* The operation's result; remembers the first error. */
static int finished(struct scene *scene, struct ring_future future)
{
    while (poll_future(&future.future) == POLL_PENDING) {
        int err = ring_wait(&scene->ring, -1);
        if (err && err != -EAGAIN && err != -EBUSY)
            scene->err = err;
        ring_reap(&scene->ring);
    }
    if (future.result < 0 && scene->err == 0)
        scene->err = future.result;
    return future.result;
}

static void close_in(struct scene *scene, int fd)
{
    if (fd >= 0 && finished(scene, ring_close(&scene->ring, fd)) < 0)
        close(fd); /* an operation that "failed" has not been made */
}

static void use_file(struct scene *scene)
{
    struct ring *ring = &scene->ring;
    struct statx about;
    char got[8];
    const char *path = testing_path("file");
    int fd = finished(scene, ring_openat(ring, AT_FDCWD, path, O_CREAT | O_RDWR, 0600));
    if (fd < 0)
        return;
    finished(scene, ring_write(ring, fd, "content", 7, 0));
    finished(scene, ring_fsync(ring, fd));
    finished(scene, ring_read(ring, fd, got, sizeof got, 0));
    finished(scene, ring_statx(ring, AT_FDCWD, path, 0, STATX_SIZE, &about));
    close_in(scene, fd);
}

static void use_sockets(struct scene *scene, int listener,
                        const struct sockaddr_in *address)
{
    struct ring *ring = &scene->ring;
    const struct sockaddr *name = (const struct sockaddr *)address;
    char got[8];
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (finished(scene, ring_connect(ring, client, name, sizeof *address)) == 0) {
        int fd = finished(scene, ring_accept(ring, listener));
        if (fd >= 0 && finished(scene, ring_send(ring, client, "hi", 2, 0)) == 2)
            finished(scene, ring_recv(ring, fd, got, sizeof got, 0));
        close_in(scene, fd);
    }
    close_in(scene, client);
}

static int one_of_each(void *argument)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct ring_config config = { .entries = 4 };
    struct scene scene = { .err = 0 };
    socklen_t size = sizeof address;
    (void)argument;
    fault_pause();
    int err = ring_init(&scene.ring, &config);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener, (struct sockaddr *)&address, size);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&address, &size);
    fault_resume();
    if (err == 0) {
        finished(&scene, ring_nop(&scene.ring));
        finished(&scene, ring_timeout(&scene.ring, 1000));
        use_file(&scene);
        use_sockets(&scene, listener, &address);
        FAULT_EXPECT(ring_in_flight(&scene.ring) == 0);
        ring_finish(&scene.ring);
    }
    close(listener);
    return err ? err : scene.err;
}

static void an_operation_says_what_became_of_it(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "sqe", EIO, FAULT_REPORTED | FAULT_RARE },
        { "sqe", EINTR, FAULT_REPORTED | FAULT_RARE },
        { "sqe", ENOMEM, FAULT_REPORTED | FAULT_RARE },
        { "sqe", ECONNRESET, FAULT_REPORTED | FAULT_RARE },
        { "io_uring_submit_and_wait_timeout", EAGAIN, FAULT_SURVIVED },
        { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
        { "io_uring_submit_and_wait_timeout", ENOMEM, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    SWEEP(one_of_each, NULL, faults);
}

/* ---- ring_parker: a wake from another thread, whatever fails */

static void *send_it(void *argument)
{
    oneshot_send(argument, argument);
    return NULL;
}

/* One task that waits for a value from another thread, on a parker that is made. */
static int wait_for_value(struct ring_parker *parker)
{
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
    struct executor executor;
    struct task_handle handle = { NULL };
    pthread_t thread;
    int err = 0;
    fault_pause();
    FAULT_EXPECT(executor_init(&executor, &parker->parker) == 0);
    FAULT_EXPECT(oneshot_create(&sender, &receiver, NULL) == 0);
    FAULT_EXPECT(SPAWN(&executor.scheduler, &handle, oneshot_receive(&receiver)) == 0);
    fault_resume();
    executor_run_for(&executor, 1000); /* it waits now, and the kick is armed */
    pthread_create(&thread, NULL, send_it, &sender);
    for (int i = 0; i < 3 && !task_is_done(&handle); i++)
        err = executor_run(&executor); /* a failed park ends a run early */
    pthread_join(thread, NULL);
    bool woken = task_is_done(&handle);
    task_detach(&handle);
    oneshot_receiver_drop(&receiver);
    executor_finish(&executor);
    FAULT_EXPECT(woken);
    return err;
}

static int be_woken(void *argument)
{
    struct ring_config config = { .entries = 4 };
    struct ring_parker parker;
    struct ring ring;
    (void)argument;
    fault_pause();
    int err = ring_init(&ring, &config);
    fault_resume();
    FAULT_EXPECT(err == 0);
    err = ring_parker_init(&parker, &ring);
    if (err == 0) {
        err = wait_for_value(&parker);
        ring_parker_finish(&parker);
    }
    ring_finish(&ring);
    return err;
}

static void C13_a_wake_is_not_lost_with_the_kick(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "eventfd", EMFILE, FAULT_REPORTED },
        { "sqe", ENOMEM, FAULT_SURVIVED | FAULT_RARE },
        { "sqe", EINTR, FAULT_SURVIVED | FAULT_RARE },
        /* whether a kick is needed depends on who is faster */
        { "write", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "read", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "read", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit_and_wait_timeout", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit_and_wait_timeout", EBUSY, FAULT_SURVIVED | FAULT_RARE },
        { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(be_woken, NULL, faults);
}

/* ---- copy, ring_whole */

enum { SIZE = 50 * 1000 + 7 };

struct copying {
    int (*copy)(const struct copy_plan *plan, struct copy_report *report);
    struct copy_plan plan;
};

static int copy_once(void *argument)
{
    static char content[SIZE], copied[SIZE + 1];
    const struct copying *self = argument;
    struct copy_plan plan = self->plan;
    struct copy_report report;
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 31 + i / 4096);
    fault_pause();
    plan.from =
        open(testing_path("from"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    plan.to = open(testing_path("to"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    bool made = pwrite(plan.from, content, SIZE, 0) == SIZE;
    fault_resume();
    int err = self->copy(&plan, &report);
    fault_pause();
    bool same = pread(plan.to, copied, sizeof copied, 0) == SIZE &&
                memcmp(copied, content, SIZE) == 0;
    close(plan.from);
    close(plan.to);
    fault_resume();
    FAULT_EXPECT(made && (err < 0 || same));
    return err;
}

static void C9_a_copy_by_the_loop_is_whole_or_an_error(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "malloc", ENOMEM, FAULT_REPORTED }, { "read", EINTR, FAULT_SURVIVED },
        { "read", EIO, FAULT_REPORTED },      { "read", FAULT_SHORT, FAULT_SURVIVED },
        { "write", EINTR, FAULT_SURVIVED },   { "write", ENOSPC, FAULT_REPORTED },
        { "write", EIO, FAULT_REPORTED },     { "write", FAULT_SHORT, FAULT_SURVIVED },
    };
    struct copying by_loop = { copy_by_loop, { .block = 4096 } };
    SWEEP(copy_once, &by_loop, faults);
}

static void C9_a_copy_by_the_ring_is_whole_or_an_error(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct fault faults[] = {
        { "malloc", ENOMEM, FAULT_REPORTED },
        { "calloc", ENOMEM, FAULT_REPORTED },
        { "mmap", ENOMEM, FAULT_EITHER }, /* one task fewer copies all the same */
        { "eventfd", EMFILE, FAULT_REPORTED },
        { "sqe", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "sqe", EIO, FAULT_EITHER | FAULT_RARE }, /* the kick's is survived */
        { "sqe", ENOSPC, FAULT_EITHER | FAULT_RARE },
        { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
        { "io_uring_submit_and_wait_timeout", ENOMEM, FAULT_EITHER },
    };
    struct copying by_ring = { copy_by_ring, { .depth = 4, .block = 16384 } };
    SWEEP(copy_once, &by_ring, faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C7_a_bare_ring_keeps_what_an_enter_did_not_take),
        cmocka_unit_test(C6_C7_a_ring_loses_no_operation_when_an_enter_fails),
        cmocka_unit_test(C6_a_kernel_thread_that_is_not_waited_for_is_asked_again),
        cmocka_unit_test(C14_the_probe_takes_no_for_an_answer_but_no_interruption),
        cmocka_unit_test(what_cannot_be_registered_is_reported),
        cmocka_unit_test(an_operation_says_what_became_of_it),
        cmocka_unit_test(C13_a_wake_is_not_lost_with_the_kick),
        cmocka_unit_test(C9_a_copy_by_the_loop_is_whole_or_an_error),
        cmocka_unit_test(C9_a_copy_by_the_ring_is_whole_or_an_error),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
