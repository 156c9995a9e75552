/* list_values.h - what each list of an image has that the others have not, and what it costs. One
 * pass over the names, two look-ups each (ten million: some seconds). For reports; allocates.
 *
 * An entry is in another list when that covers all of it: the name itself, what is below it, or
 * both, whatever that list's own entries look like. Compared are entries that say that a name is
 * listed, for addresses (type A); exceptions, entries for other types and networks are counted, and
 * not compared. */
#ifndef RULES_LIST_VALUES_H
#define RULES_LIST_VALUES_H

#include "rules/image.h"

struct list_value {
	uint64_t entries;  /* as in image_list */
	uint64_t compared; /* of these */
	uint64_t unique;   /* of the compared ones: in no other list */
	uint64_t bytes;    /* its share of the image: what several lists have is divided */
};

struct list_values {
	size_t count;             /* lists that were asked for */
	struct list_value *lists; /* as they were asked for */
	uint64_t *overlap; /* [a * count + b]: compared entries of a that are in b as well; of
			      itself: all of them */
	uint64_t names;    /* that any of them has */
};

/* `numbers` are of lists of the image, each once; others in the image are as if they were not
 * there. 0 or ERR_NO_MEMORY. */
int list_values_count(struct list_values *values, const struct image *image,
	const uint16_t *numbers, size_t count);
void list_values_deinit(struct list_values *values);

#endif
