/* list_diff.h - what a list says in one image and not in another: for people who compare revisions.
 * Takes memory for a hash of every entry. */
#ifndef PROXY_REVISIONS_LIST_DIFF_H
#define PROXY_REVISIONS_LIST_DIFF_H

#include "rules/image.h"

enum { LIST_DIFF_EXAMPLES = 8 };

struct list_diff_example {
	struct dns_name name;
	enum pattern_kind kind;
};

/* One direction. Networks are not among the examples. */
struct list_diff {
	uint64_t count; /* in `a` and not in `b` */
	struct list_diff_example examples[LIST_DIFF_EXAMPLES];
	unsigned example_count;
};

/* False when out of memory. What an entry wants (its facet) is not compared. */
bool list_diff_find(struct list_diff *diff, const struct image *a, uint16_t list_in_a,
	const struct image *b, uint16_t list_in_b);

#endif
