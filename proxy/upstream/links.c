#include "proxy/upstream/links.h"

static struct link *link_at(struct list *node)
{
	return container_of(node, struct link, in_links);
}

void links_init(struct links *links)
{
	list_init(&links->all);
}

void links_add(struct links *links, struct link *link)
{
	list_append(&links->all, &link->in_links);
}

void links_note_up(struct links *links, struct link *link)
{
	link->serial = ++links->serial;
}

void links_drop(struct link *link)
{
	list_remove(&link->in_links);
	link_close(link);
}

void links_drop_coming(struct links *links)
{
	struct list *next;
	for (struct list *node = links->all.next; node != &links->all; node = next) {
		struct link *link = link_at(node);
		next = node->next;
		if (link->phase != LINK_UP)
			links_drop(link);
	}
}

unsigned links_up(const struct links *links)
{
	unsigned count = 0;
	for (struct list *node = links->all.next; node != &links->all; node = node->next)
		count += link_is_up(link_at(node));
	return count;
}

unsigned links_usable(const struct links *links)
{
	unsigned count = 0;
	for (struct list *node = links->all.next; node != &links->all; node = node->next)
		count += link_is_usable(link_at(node));
	return count;
}

bool links_has_coming(const struct links *links)
{
	for (struct list *node = links->all.next; node != &links->all; node = node->next) {
		if (link_at(node)->phase != LINK_UP)
			return true;
	}
	return false;
}

bool links_has_room(const struct links *links)
{
	for (struct list *node = links->all.next; node != &links->all; node = node->next) {
		if (link_is_usable(link_at(node)) && link_room(link_at(node)) > 0)
			return true;
	}
	return false;
}

bool links_may_have_more(const struct links *links)
{
	return links_usable(links) < LINKS_MAX && links_up(links) < LINKS_CEILING;
}

static bool is_after(const struct links *links, const struct link *link, uint64_t after)
{
	return link->serial > after || !links_may_have_more(links);
}

struct link *links_choose(const struct links *links, uint64_t after)
{
	for (struct list *node = links->all.next; node != &links->all; node = node->next) {
		struct link *link = link_at(node);
		if (link_is_usable(link) && link_room(link) > 0 && is_after(links, link, after))
			return link;
	}
	return NULL;
}
