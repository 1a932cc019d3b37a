/* group: tasks that begin together and end together.
 *
 *     int err = group_create(&self->group, &(struct group_config){ 0 });
 *     err = GROUP_SPAWN(self->group, fetch_result, fetch(self->urls[0]));
 *     ...
 *     AWAIT(self->all, group_join(self->group));     // READY when every member has ended
 *     if (self->all.result < 0) ...group_failure(self->group) says who and why...
 *     group_destroy(self->group);
 *
 * A task that is only spawned can outlive whoever started it, fail unseen, and use what is
 * gone. A group closes that hole: the first member that fails (its result is an error, or
 * it panics) has the others cancelled; the join is READY when all have ended, however;
 * and the failure that came first is the group's result. This is called structured
 * concurrency.
 *
 * Cancelling the join - also before its first poll - cancels the members, and the join
 * still waits for them: nothing outlives the group. (So it is no ordinary leaf: rule F6
 * lets a leaf end at once.)
 *
 * Ownership: heap. The group owns its members' handles; the caller owns the group, and
 * destroys it when no member is live (CHECK). If the owner's task panics with no join in
 * flight, group and members live on and the group is leaked: what members borrow must
 * then not lie in the owner's frame. Threads: create, spawn, cancel, join and destroy
 * from one task at a time (for SPAWN_LOCAL members: on their thread); the members run
 * wherever their scheduler has them. */
#ifndef LESSON07_GROUP_H
#define LESSON07_GROUP_H

#include "lesson02_wakers/join.h"

struct group_config {
    struct scheduler *scheduler; /* borrows: where the members run; NULL: on the lane of
                                    whoever spawns (runtime_spawn_here) */
    unsigned spawn_flags;        /* enum task_spawn_flags; for a scheduler */
    bool keep_going;             /* a failure does not cancel the others */
};

struct task_group;

/* -ENOMEM. */
int group_create(struct task_group **group, const struct group_config *config);

/* No member may be live (CHECK). Accepts NULL. */
void group_destroy(struct task_group *group);

/* What a member ended with: 0 or more is fine, negative errno is a failure. Called with
 * the frame of a member that returned. */
typedef int group_result(const struct future *output);

/* Spawns a member. `result` NULL: a member that returns has not failed. On success the
 * future is consumed. 0, or as task_spawn; -ECANCELED: the group was cancelled. */
int group_spawn(struct task_group *group, struct future *future, group_result *result);

#define GROUP_SPAWN(group, result, ...)                                                \
    group_spawn((group), &((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future,       \
                (result))

/* Cancels every member; no new ones from now on. */
void group_cancel(struct task_group *group);

/* Members that have not been seen to end. */
size_t group_live(const struct task_group *group);

/* The failure that was seen first. */
struct group_failure {
    const char *name;        /* of the member's function; static. NULL: there is none */
    enum join_status status; /* JOIN_OK: it returned an error */
    int error; /* its result; -ENOTRECOVERABLE: panicked; -ECANCELED: cancelled, but
                       not by the group */
    char panic[96]; /* what it said, cut short; empty if it did not panic */
};

const struct group_failure *group_failure(const struct task_group *group);

struct group_join {
    struct future future;
    struct task_group *group; /* borrows */
    bool cancelled;
    int result; /* output: 0; the first failure's error; -ECANCELED: the join was
                   cancelled and nothing else failed */
};

/* READY when no member is live. More may be spawned while it waits, and after. */
struct group_join group_join(struct task_group *group);

#endif
