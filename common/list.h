/* list: a doubly linked list whose links live inside the elements.
 *
 * Intrusive, so that linking allocates nothing and cannot fail: a waiter that parks in
 * a queue brings its own link. The head is a ring of one; an unlinked node points to
 * itself, so that list_remove may be called twice.
 *
 * Ownership: the list borrows its nodes; whoever owns an element keeps it alive and in
 * place while it is linked. Threads: none of its own; the owner's lock guards it. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>

struct list {
    struct list *next; /* borrows */
    struct list *prev; /* borrows */
};

static inline void list_init(struct list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list *node, struct list *prev,
                                       struct list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_between(node, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, unlinked; NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;
    if (node == head)
        return 0;
    list_remove(node);
    return node;
}

/* Moves every node of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_for_each(node, head)                                                      \
    for (struct list *node = (head)->next; node != (head); node = node->next)

#endif
