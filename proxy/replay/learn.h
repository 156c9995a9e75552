/* learn.h - from the names that a view asked for, and those that the answers led to, the smallest
 * readable allow-list for a view that blocks everything else. Pure but for memory; who reads the
 * log is the caller.
 *
 * An entry is a name, or everything below a registrable domain ("*.example.com", and "example.com"
 * by itself when it was asked for): whichever are fewer; where it is the same, names, as they allow
 * less. Never everything below a public suffix, nor below a domain that has public suffixes of the
 * private section below it, as those hold what strangers put there: such names are taken one by
 * one, or everything below a child that has none. */
#ifndef PROXY_REPLAY_LEARN_H
#define PROXY_REPLAY_LEARN_H

#include "dns/name.h"
#include "proxy/lists/suffix_parents.h"
#include "proxy/lists/suffixes.h"

enum { LEARN_NAMES_MAX = 65536 };

struct learn;

/* Both may be NULL: without `suffixes` names stay names, without `parents` domains that have
 * private suffixes below are not known. They stay until learn_free(). NULL when out of memory. */
struct learn *learn_new(const struct suffixes *suffixes, const struct suffix_parents *parents);
void learn_free(struct learn *learn); /* NULL is fine */

/* A name in lower case that was asked for, or that an answer led to. */
void learn_asked(struct learn *learn, struct slice name);
void learn_led_to(struct learn *learn, struct slice name);

struct learn_entry {
	struct dns_name name;
	bool is_below;  /* what is below it, not the name itself */
	uint64_t asked; /* how often for names that it covers */
	uint64_t led_to;
	uint32_t names; /* distinct ones */
};

struct learn_list {
	struct learn_entry
		*entries; /* by name, the top-level domain first; asked ones, then others */
	size_t count;
	size_t asked_count;    /* the first ones, that were asked for */
	uint64_t asked;        /* questions in all */
	uint64_t covered;      /* of these */
	uint32_t names;        /* distinct ones, asked for or led to */
	uint64_t rare;         /* entries left out: fewer than `least` */
	uint64_t refused;      /* names left out: a public suffix, the root, or with an asterisk */
	uint64_t without_room; /* questions and targets beyond LEARN_NAMES_MAX names */
};

/* Entries that were needed less often than `least` are left out. False when out of memory. */
bool learn_finish(struct learn *learn, uint64_t least, struct learn_list *list);
void learn_list_free(struct learn_list *list);

#endif
