/* guard.h - may a new edition of a list take the place of the one that protects now? Pure: facts
 * in, reason out. A list that fails is quarantined: the last good edition stays. */
#ifndef PROXY_LISTS_GUARD_H
#define PROXY_LISTS_GUARD_H

#include "base/writer.h"
#include "dns/name.h"
#include "proxy/lists/list_fault.h"
#include "rules/image.h"

/* Bounds for a new edition. Numbers of 0 ask for nothing. Borrowed: they live as long as the
 * configuration. */
struct list_guards {
	uint64_t min_entries;
	unsigned max_shrink_percent; /* of the entries that are in force */
	unsigned max_growth_percent;
	unsigned max_rejected_percent; /* of the lines that say something; addresses, duplicates,
					  rules that are not for whole names, and triggers that are
					  not supported are no errors */
	const struct dns_name *must_contain; /* names that the list must match, lower case */
	size_t must_contain_count;
	const struct dns_name *must_not_contain;
	size_t must_not_contain_count;
	const char *sha256;       /* of the bytes as they were fetched, 64 digits; NULL: any */
	const char *minisign_key; /* base64, as minisign prints it; NULL: no signature asked for */
};

/* What the unpacked bytes are, before they are parsed: LIST_FAULT_NONE or LIST_FAULT_NOT_A_LIST.
 * `content_type` as it was sent, with or without parameters; it may be empty. Pages, JSON, images,
 * programs and archives are no lists, whatever they are called; unknown types are judged by their
 * bytes alone. */
enum list_fault guard_sniff(struct slice text, struct slice content_type);

/* An edition after it was parsed, as an image of its own or as part of one; `before` is the list
 * that is in force, NULL when there is none: then nothing can have shrunk or grown. `why` gets a
 * sentence with the numbers ("12 entries, at least 1000 are asked for"), as far as it has room.
 *
 * Without one entry: fine only where nothing was rejected either and no shrinking is watched for,
 * so that an operator's own file may have nothing but a comment in it. Canaries are matched as
 * queries would be; an exception (FACET_EXCEPT, FACET_PASS) is no match. */
enum list_fault guard_judge(const struct list_guards *guards, const struct image *edition,
	uint16_t list, const struct image_list *before, struct writer *why);

#endif
