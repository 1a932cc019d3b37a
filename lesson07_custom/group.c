/* group: one joiner for any number of tasks.
 *
 * Problem: to await a hundred tasks with join_all looks at a hundred joins on each wake.
 * Idea: each member's join is polled with a waker of its own, whose wake does two things:
 * it puts the member into the group's mail, and wakes whoever joins the group. So a wake
 * costs the work for the one member that ended.
 *
 *   member's task ends -> wake of the member's waker -> mail -> group_join polls its join
 *
 * Invariants: `running` holds the members whose join has not been READY; a member is in
 * the mail exactly when `mailed`. A waker may come late, when the group is gone (RULES
 * W5): so a waker holds the member, and a member holds the group's memory.
 *
 * Source: the wakers of FuturesUnordered (futures crate); the semantics of Trio's
 * nurseries. */
#include "lesson07_custom/group.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/list.h"
#include "lesson07_custom/runtime.h"

struct task_group {
    struct group_config config; /* immutable */
    /* any thread, atomic */
    _Atomic unsigned references; /* the owner's and each member's */
    /* the owner's task only */
    struct list running;
    size_t live; /* length of running */
    bool cancelled;
    struct group_failure failure;
    /* guarded by lock */
    pthread_mutex_t lock;
    struct member *mail; /* first come, first served: so failures keep their order */
    struct member **mail_end;
    struct waker joiner; /* owns */
};

struct member {
    struct list link;         /* in running */
    struct task_group *group; /* shares */
    struct task_handle handle;
    struct task_join join;
    group_result *result;
    const char *name;
    _Atomic unsigned references; /* the group's and each waker's */
    /* guarded by the group's lock */
    struct member *next_mail;
    bool mailed;
};

/* ---- references */

static bool last_reference(_Atomic unsigned *references)
{
    /* acq_rel: release our use of it; acquire pairs with the others', for the one that
     * frees */
    return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

static void group_put(struct task_group *group)
{
    if (!last_reference(&group->references))
        return;
    waker_drop(&group->joiner);
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static void member_put(struct member *member)
{
    if (!last_reference(&member->references))
        return;
    group_put(member->group);
    free(member);
}

/* ---- a member's waker */

static void member_post(struct member *member)
{
    struct task_group *group = member->group;
    struct waker joiner = { 0 };
    pthread_mutex_lock(&group->lock);
    if (!member->mailed) {
        member->mailed = true;
        member->next_mail = NULL;
        *group->mail_end = member;
        group->mail_end = &member->next_mail;
        /* the mail's reference */
        atomic_fetch_add_explicit(&member->references, 1, memory_order_relaxed);
        joiner = waker_take(&group->joiner);
    }
    pthread_mutex_unlock(&group->lock);
    waker_wake(&joiner); /* W6: outside the lock */
}

static struct waker member_clone(void *data);

static void member_wake_by_ref(void *data)
{
    member_post(data);
}

static void member_drop(void *data)
{
    member_put(data);
}

static void member_wake(void *data)
{
    member_post(data);
    member_put(data);
}

static const struct waker_ops member_waker_ops = {
    .clone = member_clone,
    .wake = member_wake,
    .wake_by_ref = member_wake_by_ref,
    .drop = member_drop,
};

static struct waker member_clone(void *data)
{
    atomic_fetch_add_explicit(&((struct member *)data)->references, 1,
                              memory_order_relaxed);
    return (struct waker){ &member_waker_ops, data };
}

/* ---- life */

int group_create(struct task_group **group, const struct group_config *config)
{
    struct task_group *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->config = *config;
    atomic_init(&self->references, 1);
    list_init(&self->running);
    self->mail_end = &self->mail;
    self->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    *group = self;
    return 0;
}

/* The mail's reference is the caller's now. NULL: no mail. */
static struct member *take_mail(struct task_group *group)
{
    pthread_mutex_lock(&group->lock);
    struct member *member = group->mail;
    if (member) {
        group->mail = member->next_mail;
        if (!group->mail)
            group->mail_end = &group->mail;
        member->mailed = false;
    }
    pthread_mutex_unlock(&group->lock);
    return member;
}

void group_destroy(struct task_group *group)
{
    if (!group)
        return;
    CHECK(group->live == 0,
          "a task group was destroyed with %zu members in it: await "
          "group_join first",
          group->live);
    struct member *late;
    while ((late = take_mail(group)))
        member_put(late);
    group_put(group);
}

size_t group_live(const struct task_group *group)
{
    return group->live;
}

const struct group_failure *group_failure(const struct task_group *group)
{
    return &group->failure;
}

void group_cancel(struct task_group *group)
{
    if (group->cancelled)
        return;
    group->cancelled = true;
    list_for_each (link, &group->running)
        task_cancel(&container_of(link, struct member, link)->handle);
}

/* ---- the end of a member */

static void note_failure(struct task_group *group, const struct member *member,
                         int error)
{
    struct group_failure *failure = &group->failure;
    if (failure->name)
        return;
    failure->name = member->name;
    failure->status = member->join.status;
    failure->error = error;
    if (member->join.panic)
        snprintf(failure->panic, sizeof failure->panic, "%s", member->join.panic);
}

/* How it ended, as one number. */
static int member_error(const struct member *member)
{
    switch (member->join.status) {
    case JOIN_PANICKED:
        return -ENOTRECOVERABLE;
    case JOIN_CANCELLED:
        return -ECANCELED;
    default:
        return member->result ? member->result(task_future(member->handle.task)) : 0;
    }
}

static void settle(struct task_group *group, struct member *member)
{
    int error = member_error(member);
    bool ours = group->cancelled && error == -ECANCELED;
    if (error < 0 && !ours) {
        note_failure(group, member, error);
        if (!group->config.keep_going)
            group_cancel(group);
    }
    list_remove(&member->link);
    group->live--;
    task_detach(&member->handle);
    member_put(member);
}

/* Polls a member's join; settles the member when it has ended. */
static void look_at(struct task_group *group, struct member *member)
{
    const struct waker waker = { &member_waker_ops, member }; /* borrowed by the poll */
    struct context context = { &waker, CONTEXT_BUDGET };
    if (!future_is_done(&member->join.future) &&
        future_poll(&member->join.future, &context) == POLL_READY)
        settle(group, member);
}

static int spawn(const struct group_config *config, struct future *future,
                 struct task_handle *handle)
{
    if (!config->scheduler)
        return runtime_spawn_here(future, handle);
    return task_spawn(config->scheduler, future, config->spawn_flags, handle);
}

int group_spawn(struct task_group *group, struct future *future, group_result *result)
{
    if (group->cancelled)
        return -ECANCELED;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return -ENOMEM;
    member->name = future->ops->name;
    int err = spawn(&group->config, future, &member->handle);
    if (err < 0) {
        free(member);
        return err;
    }
    member->group = group;
    member->result = result;
    member->join = task_join(&member->handle);
    atomic_init(&member->references, 1);
    atomic_fetch_add_explicit(&group->references, 1, memory_order_relaxed);
    list_push_back(&group->running, &member->link);
    group->live++;
    look_at(group, member);
    return 0;
}

/* ---- join */

/* No more than there are members: one whose task is just ending on another thread posts
 * itself again and again until it has. */
static void read_mail(struct task_group *group)
{
    struct member *member;
    for (size_t left = group->live; left > 0 && (member = take_mail(group)); left--) {
        look_at(group, member);
        member_put(member);
    }
}

/* False: there is mail already. */
static bool wait_for_mail(struct task_group *group, const struct context *context)
{
    struct waker old = { 0 };
    pthread_mutex_lock(&group->lock);
    bool waits = !group->mail;
    if (waits && !(context->waker && waker_same(&group->joiner, context->waker))) {
        old = waker_take(&group->joiner);
        group->joiner = waker_clone(context->waker);
    }
    pthread_mutex_unlock(&group->lock);
    waker_drop(&old);
    return waits;
}

static enum poll_state join_poll(struct future *future, struct context *context)
{
    struct group_join *self = container_of(future, struct group_join, future);
    struct task_group *group = self->group;
    if (self->cancelled)
        group_cancel(group);
    read_mail(group);
    if (group->live > 0) {
        if (!wait_for_mail(group, context))
            waker_wake_by_ref(context->waker);
        return POLL_PENDING;
    }
    self->result = group->failure.error;
    if (self->cancelled && self->result == 0)
        self->result = -ECANCELED;
    return POLL_READY;
}

static void join_cancel(struct future *future)
{
    container_of(future, struct group_join, future)->cancelled = true;
}

static const struct future_ops group_join_ops = {
    .name = "join of a group",
    .size = FUTURE_SIZE(struct group_join),
    .poll = join_poll,
    .cancel = join_cancel,
};

struct group_join group_join(struct task_group *group)
{
    return (struct group_join){ .future = { &group_join_ops }, .group = group };
}
