/* Doubly linked list with a head, links inside the objects, no allocation. A link that is on no
 * list points to itself, so that removal is idempotent. */
#ifndef ISKRA_LIST_H
#define ISKRA_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct iskra_list {
    struct iskra_list *prev, *next;
};

#define iskra_container_of(ptr, type, member) ((type *)(((char *)(ptr)) - offsetof(type, member)))

static inline void iskra_list_init(struct iskra_list *l)
{
    l->prev = l->next = l;
}

static inline bool iskra_list_empty(const struct iskra_list *l)
{
    return l->next == l;
}

static inline void iskra_list_add_between(struct iskra_list *item, struct iskra_list *prev,
                                          struct iskra_list *next)
{
    item->prev = prev;
    item->next = next;
    prev->next = item;
    next->prev = item;
}

static inline void iskra_list_push_back(struct iskra_list *head, struct iskra_list *item)
{
    iskra_list_add_between(item, head->prev, head);
}

static inline void iskra_list_push_front(struct iskra_list *head, struct iskra_list *item)
{
    iskra_list_add_between(item, head, head->next);
}

static inline void iskra_list_remove(struct iskra_list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    iskra_list_init(item);
}

/* First item, taken off; NULL when the list is empty. */
static inline struct iskra_list *iskra_list_pop_front(struct iskra_list *head)
{
    if (iskra_list_empty(head))
        return NULL;
    struct iskra_list *item = head->next;
    iskra_list_remove(item);
    return item;
}

/* `item` takes the place of `old`, which is alone afterwards; both are if `old` was. */
static inline void iskra_list_replace(struct iskra_list *old, struct iskra_list *item)
{
    iskra_list_init(item);
    if (iskra_list_empty(old))
        return;
    iskra_list_add_between(item, old->prev, old->next);
    iskra_list_init(old);
}

/* Moves everything from `from` to the end of `to`. */
static inline void iskra_list_splice_back(struct iskra_list *to, struct iskra_list *from)
{
    if (iskra_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    iskra_list_init(from);
}

/* The body may remove the current item, not others. */
#define ISKRA_LIST_FOREACH(pos, head)                                                              \
    for (struct iskra_list *pos = (head)->next, *pos##_next = pos->next; pos != (head);            \
         pos = pos##_next, pos##_next = pos->next)

#endif
