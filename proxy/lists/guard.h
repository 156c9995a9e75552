/* guard.h - may a new edition of a list take the place of the one that protects now? Pure: facts
 * in, reason out. A list that fails is quarantined: the last good edition stays. */
#ifndef PROXY_LISTS_GUARD_H
#define PROXY_LISTS_GUARD_H

#include "base/writer.h"
#include "dns/name.h"
#include "proxy/lists/list_fault.h"
#include "rules/image.h"

/* Numbers of 0 ask for nothing. */
struct list_guards {
	uint64_t min_entries;
	unsigned max_shrink_percent; /* of the entries that are in force */
	unsigned max_growth_percent;
	unsigned max_rejected_percent; /* of the lines that say something; addresses, duplicates and
					  rules that are not for whole names are no errors */
	const struct dns_name *must_contain; /* names that the list must match, lower case */
	size_t must_contain_count;
	const struct dns_name *must_not_contain;
	size_t must_not_contain_count;
	const char *sha256;       /* of the bytes as they were fetched, 64 digits; NULL: any */
	const char *minisign_key; /* base64, as minisign prints it; NULL: no signature asked for */
};

/* What the bytes are, before they are parsed. `content_type` may be empty. */
enum list_fault guard_sniff(struct slice text, struct slice content_type);

/* An edition after it was parsed, as an image of its own with one list; `before` is the list that
 * is in force, NULL when there is none. `why` gets a sentence with the numbers ("12 entries, at
 * least 1000 are asked for"). */
enum list_fault guard_judge(const struct list_guards *guards, const struct image *edition,
	uint16_t list, const struct image_list *before, struct writer *why);

#endif
