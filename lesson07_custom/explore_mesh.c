/* Every order of steps of a mesh: two lanes send to a third, which waits for both. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/mesh.h"

static struct mesh *mesh;
static struct sleeper sleepers[2];
static struct mesh_recv receives[2];
static int got[2];

static void open_mesh(unsigned lanes)
{
    CHECK(mesh_create(&mesh, lanes, 1, sizeof(int)) == 0, "no mesh");
    for (int i = 0; i < 2; i++)
        receives[i] = mesh_recv(mesh, 0, &got[i], 1);
}

static void *first_sends(void *unused)
{
    explore_name("lane 1");
    mesh_try_send(mesh, 1, 0, (int[]){ 1 });
    return unused;
}

static void *second_sends(void *unused)
{
    explore_name("lane 2");
    mesh_try_send(mesh, 2, 0, (int[]){ 2 });
    return unused;
}

/* Then the second receive must have the other message. */
static void receive_the_rest(void)
{
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("W1", receives[0].result == 1, "the first message: %ld",
                 (long)receives[0].result);
    sleeper_poll(&sleepers[1], &receives[1].future);
    sleepers_end(sleepers, 2, "W1");
    EXPLORE_RULE("once", got[0] + got[1] == 3 && got[0] != got[1], "%d and %d", got[0],
                 got[1]);
    mesh_destroy(mesh);
}

static void receive_against_two_lanes(void)
{
    pthread_t first, second;
    explore_name("lane 0");
    open_mesh(3);
    pthread_create(&first, NULL, first_sends, NULL);
    pthread_create(&second, NULL, second_sends, NULL);
    sleeper_poll(&sleepers[0], &receives[0].future);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    receive_the_rest();
}

static void *sends_and_leaves(void *unused)
{
    first_sends(unused);
    mesh_leave(mesh, 1);
    return unused;
}

/* What a lane sent before it left is received before its end. */
static void receive_against_leave(void)
{
    explore_name("lane 0");
    open_mesh(2);
    sleeper_poll_against(&sleepers[0], &receives[0].future, sends_and_leaves);
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("close", receives[0].result == 1,
                 "lane 1 has left, and what it sent is "
                 "lost: %ld",
                 (long)receives[0].result);
    mesh_leave(mesh, 0); /* it sends to itself as well */
    sleeper_poll(&sleepers[1], &receives[1].future);
    sleepers_end(sleepers, 2, "W1");
    EXPLORE_RULE("close", receives[1].result == -EPIPE, "all have left: %ld",
                 (long)receives[1].result);
    mesh_destroy(mesh);
}

#define MESH_CASE(scenario_name, what, ...)                                            \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, __VA_ARGS__  \
    }

EXPLORE_MAIN(MESH_CASE(receive_against_two_lanes, "W1", .models = 7),
             MESH_CASE(receive_against_leave, "W1", .models = 7), )
