/* list.h - an intrusive doubly linked list: a field of the thing that stands in it.
 * A node that is in no list points at itself, so removing it twice does no harm. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define container_of(pointer, type, field)                                                         \
	((type *)(void *)((char *)(pointer)-offsetof(type, field)))

static inline void list_init(struct list *node)
{
	node->next = node;
	node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* The first node, taken out of the list; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	if (list_is_empty(head))
		return NULL;
	struct list *first = head->next;
	list_remove(first);
	return first;
}

#endif
