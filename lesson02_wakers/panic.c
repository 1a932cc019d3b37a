/* panic: walking the ruins.
 *
 * Problem: a panic jumps over the frames on the stack, but a join may have other
 * children in flight, whose buffers the kernel may be writing to this moment (RULES
 * W13). Idea: the tree is still there. Dead is a frame whose poll was on the stack: an
 * async function with `running` set, and every combinator on the way to one. Invariant:
 * after panic_drain said true, no future below the root is in flight. */
#include "lesson02_wakers/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lesson02_wakers/task_home.h"

struct panic_note {
    struct panic_note *next; /* owns */
    const struct task *task; /* borrows; only compared */
    char text[200];
};

/* Was this future's poll on the stack when the panic came? */
static bool is_dead(const struct future *future)
{
    if (future_is_async(future))
        return async_of(future)->running;
    const struct future *child;
    for (unsigned i = 0;
         future->ops->child && (child = future->ops->child(future, i)) != NULL; i++)
        if (is_dead(child))
            return true;
    return false;
}

/* Below a dead frame: true when nothing is left in flight. */
bool panic_drain(struct future *dead, struct context *context)
{
    bool quiet = true;
    if (!dead->ops->child)
        return true;
    struct future *child;
    for (unsigned i = 0; (child = dead->ops->child(dead, i)) != NULL;) {
        if (is_dead(child)) {
            quiet &= panic_drain(child, context);
            i++;
        } else if (future_is_done(child)) {
            i++; /* a frame's last await, finished and not yet forgotten */
        } else {
            future_cancel(child);
            if (future_poll_discarding(child, context) == POLL_PENDING) {
                quiet = false;
                i++;
            } else if (dead->ops->child(dead, i) == child) {
                i++; /* else the parent leaves finished children out by itself */
            }
        }
    }
    return quiet;
}

void panic_note_add(struct task_home *home, const struct task *task, const char *text)
{
    if (panic_note_find(home, task))
        return; /* a panic in the clean-up of a panic: the first is why it ended */
    struct panic_note *note = malloc(sizeof *note);
    if (!note)
        return;
    note->task = task;
    snprintf(note->text, sizeof note->text, "%s", text);
    pthread_mutex_lock(&home->lock);
    note->next = home->panics;
    home->panics = note;
    pthread_mutex_unlock(&home->lock);
}

const char *panic_note_find(struct task_home *home, const struct task *task)
{
    pthread_mutex_lock(&home->lock);
    struct panic_note *note = home->panics;
    while (note && note->task != task)
        note = note->next;
    pthread_mutex_unlock(&home->lock);
    return note ? note->text : NULL;
}

void panic_note_remove(struct task_home *home, const struct task *task)
{
    pthread_mutex_lock(&home->lock);
    struct panic_note **at = &home->panics;
    while (*at && (*at)->task != task)
        at = &(*at)->next;
    struct panic_note *note = *at;
    if (note)
        *at = note->next;
    pthread_mutex_unlock(&home->lock);
    free(note);
}
