/* list_edition.h - the bytes of one list as they came, and the text in them. */
#ifndef PROXY_LISTS_LIST_EDITION_H
#define PROXY_LISTS_LIST_EDITION_H

#include "proxy/lists/fetch_report.h"
#include "rules/spec.h"

struct list_edition {
	struct slice raw;             /* as they came */
	struct slice text;            /* unpacked; within `raw` when it was not packed */
	uint8_t hash[IMAGE_HASH_LEN]; /* of `raw` */
	enum list_format format;
	bool is_borrowed; /* `raw` is somebody else's */
	enum list_fault fault;
	char why[FETCH_WHY_MAX]; /* a sentence, when there is a fault */
};

/* Reads a file of at most `most` bytes. False when there is a fault. */
bool list_edition_read(struct list_edition *edition, const char *path, size_t most);

/* The same of bytes that are there already and stay the caller's. */
void list_edition_take(struct list_edition *edition, struct slice raw);

/* Looks at what was read before any line of it: digest, signature (of the file at
 * `signature_path`), unpacks, sniffs, recognises the format unless `format` says it. False when
 * there is a fault. */
bool list_edition_open(struct list_edition *edition, enum list_format format,
	const struct list_guards *guards, const char *signature_path, size_t most);

/* The text alone, of what was read: for people who want to see a line of it. False when there is a
 * fault. */
bool list_edition_unpack(struct list_edition *edition, size_t most);

void list_edition_close(struct list_edition *edition);

__attribute__((format(printf, 3, 4))) bool list_edition_fail(
	struct list_edition *edition, enum list_fault fault, const char *text, ...);

#endif
