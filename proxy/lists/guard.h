/* guard.h - may a new edition of a list take the place of the one that protects now? Pure: facts
 * in, reason out. A list that fails is quarantined: the last good edition stays. */
#ifndef PROXY_LISTS_GUARD_H
#define PROXY_LISTS_GUARD_H

#include "base/writer.h"
#include "dns/name.h"
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

enum list_fault {
	LIST_FAULT_NONE,
	/* reading and fetching */
	LIST_FAULT_UNREADABLE,  /* file or state */
	LIST_FAULT_UNREACHABLE, /* no answer: name, connection, TLS, timeout */
	LIST_FAULT_HTTP,        /* a status that is not 200 or 304 */
	LIST_FAULT_REDIRECT,    /* to another host, too many, or away from https */
	LIST_FAULT_TLS,         /* certificate */
	LIST_FAULT_FORBIDDEN,   /* a private address */
	LIST_FAULT_TIMEOUT,
	LIST_FAULT_TOO_LARGE, /* fetched or unpacked */
	LIST_FAULT_TRUNCATED, /* fewer bytes than were promised; a broken gzip or zstd */
	LIST_FAULT_INTERNAL,  /* the child could not do its work */
	/* guards */
	LIST_FAULT_DIGEST,
	LIST_FAULT_SIGNATURE,
	LIST_FAULT_NOT_A_LIST, /* HTML, or a content type that no list has */
	LIST_FAULT_EMPTY,      /* not one entry */
	LIST_FAULT_TOO_FEW,
	LIST_FAULT_SHRUNK,
	LIST_FAULT_GROWN,
	LIST_FAULT_REJECTS,
	LIST_FAULT_CANARY_MISSING,
	LIST_FAULT_CANARY_HIT,
	LIST_FAULT_COUNT
};

/* "shrunk": for metrics and the state file. */
const char *list_fault_name(enum list_fault fault);
bool list_fault_parse(const char *name, enum list_fault *fault);

/* What the bytes are, before they are parsed. `content_type` may be empty. */
enum list_fault guard_sniff(struct slice text, struct slice content_type);

/* An edition after it was parsed, as an image of its own with one list; `before` is the list that
 * is in force, NULL when there is none. `why` gets a sentence with the numbers ("12 entries, at
 * least 1000 are asked for"). */
enum list_fault guard_judge(const struct list_guards *guards, const struct image *edition,
	uint16_t list, const struct image_list *before, struct writer *why);

#endif
