/* fuzz: the load generator takes the right answer, however it comes, and no other.
 *
 * The input is what a server sends. The other end of a socket pair receives it, at once
 * and in two parts. */
#include "common/fuzzing/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lesson08_compare/load_internal.h"

enum outcome { WAITS, COMPLETE, LOST };

#define ECHO "........0123456789abcdefghij"
#define ECHO_SIZE (sizeof ECHO - 1)

struct scene {
    struct load_plan plan;
    struct load_result result;
    struct load load;
    struct load_connection connection;
    int server;
};

static void begin(struct scene *scene, enum workload_proto proto)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0, "no sockets");
    memset(&scene->load, 0, sizeof scene->load);
    scene->plan = (struct load_plan){ .proto = proto, .connections = 1 };
    scene->result.errors = 0;
    scene->result.error[0] = '\0';
    scene->load.plan = &scene->plan;
    scene->load.result = &scene->result;
    scene->load.alive = scene->load.busy = 1;
    scene->load.message = scene->load.answer = ECHO;
    scene->load.message_size = ECHO_SIZE;
    scene->load.answer_size =
        proto == WORKLOAD_HTTP ? WORKLOAD_RESPONSE_SIZE : ECHO_SIZE;
    scene->connection = (struct load_connection){ .fd = fds[0], .busy = true };
    scene->server = fds[1];
}

static enum outcome receive(struct scene *scene, const uint8_t *data, size_t size)
{
    CHECK(write(scene->server, data, size) == (ssize_t)size, "the pair takes no more");
    if (load_receive(&scene->load, &scene->connection))
        return COMPLETE;
    return scene->connection.fd < 0 ? LOST : WAITS;
}

static void end(struct scene *scene, enum outcome outcome)
{
    bool lost = outcome == LOST;
    CHECK(scene->result.errors == lost && !scene->result.error[0] == !lost, "%d errors",
          (int)scene->result.errors);
    CHECK(scene->load.alive == !lost && scene->load.busy == !lost, "who is alive?");
    CHECK(scene->connection.got <= scene->load.answer_size, "more than the answer");
    if (!lost)
        close(scene->connection.fd);
    close(scene->server);
}

/* The stamp of connection 0, request 0 is eight 0. */
static bool begins_right(enum workload_proto proto, const uint8_t *data, size_t size)
{
    static const char stamp[8];
    size_t stamped = size < 8 ? size : 8;
    if (proto == WORKLOAD_HTTP)
        return workload_response_matches(0, (const char *)data, size);
    return memcmp(data, stamp, stamped) == 0 &&
           memcmp(data + stamped, &ECHO[stamped], size - stamped) == 0;
}

static void receive_both_ways(enum workload_proto proto, const uint8_t *data,
                              size_t size)
{
    static struct scene scene;
    begin(&scene, proto);
    size_t wanted = scene.load.answer_size;
    enum outcome right = size > wanted || !begins_right(proto, data, size) ? LOST
                         : size == wanted                                  ? COMPLETE
                                                                           : WAITS;
    enum outcome got = receive(&scene, data, size);
    CHECK(got == right, "outcome %d, not %d", (int)got, (int)right);
    end(&scene, got);

    size_t cut = fuzz_choose(data, size, size, 0);
    begin(&scene, proto);
    got = receive(&scene, data, cut);
    if (got == WAITS)
        got = receive(&scene, data + cut, size - cut);
    else if (got == COMPLETE)
        right = COMPLETE; /* what follows was not asked for, but not looked at yet */
    CHECK(got == right, "outcome %d when cut at %zu, not %d", (int)got, cut,
          (int)right);
    end(&scene, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return -1;
    receive_both_ways(WORKLOAD_HTTP, data, size);
    receive_both_ways(WORKLOAD_ECHO, data, size);
    return 0;
}
