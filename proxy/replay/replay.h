/* replay.h - a recorded query log through a candidate policy: every line judged by it, beside what
 * the log recorded or what another policy says. Several threads, each with counts of its own;
 * memory is bounded whatever the log. For the command line; blocks. */
#ifndef PROXY_REPLAY_REPLAY_H
#define PROXY_REPLAY_REPLAY_H

#include "proxy/replay/replay_judge.h"
#include "proxy/replay/replay_tally.h"

enum {
	REPLAY_THREADS_MAX = 64,
	REPLAY_EXAMPLES_MAX = 100, /* of one kind of change */
	REPLAY_CHANGES_MAX = 256,  /* kinds of change */
	REPLAY_BAD_SHOWN = 3,
	REPLAY_BAD_TEXT_MAX = 120,
};

struct replay_options {
	const struct policy *candidate;
	const struct config *candidate_config;
	const struct policy *current; /* NULL: what the log recorded */
	const struct config *current_config;
	unsigned threads;
	unsigned examples;
	/* Now and then, from the calling thread; may be NULL. Bytes of the files; `total` is 0 when
	 * nobody knows. */
	void (*on_progress)(void *context, uint64_t bytes, uint64_t total, uint64_t lines);
	void *context;
};

struct replay_counts {
	uint64_t lines; /* that are not empty */
	uint64_t bad;
	uint64_t not_admitted; /* log_line_was_admitted() */
	uint64_t by_exception; /* that an operator's exception had a say in; recorded ones only */
	uint64_t same;
	uint64_t moved;
	uint64_t different;
	/* Of those that were compared, where an answer would have been looked at. */
	uint64_t answer_unknown;
	uint64_t answer_partial;
};

struct replay_example {
	struct tally_place place;
	struct dns_name name;
	uint16_t type;
	char client[ADDRESS_TEXT_MAX];
	struct replay_outcome before;
	struct replay_outcome after;
};

/* The first examples of one kind of change. */
struct replay_change_row {
	unsigned count;
	struct replay_example *at;
};

struct replay_bad {
	struct tally_place place;
	uint8_t len;
	char text[REPLAY_BAD_TEXT_MAX];
};

/* Keys have parts with a '\t' between them. */
struct replay_result {
	struct replay_counts counts;
	struct tally *changes; /* outcome before, outcome after */
	struct replay_change_row change_rows[REPLAY_CHANGES_MAX];
	struct tally *rules;   /* of differences: who decided before, and after */
	struct tally *entries; /* list, entry, "now" or "before" */
	struct tally *clients;
	struct tally *moved; /* who decided before, and after; where the outcome is the same */
	unsigned bad_count;
	struct replay_bad bad[REPLAY_BAD_SHOWN];
	bool is_complete; /* all files were read to their end */
};

/* NULL when out of memory. What cannot be read is told on standard error. */
struct replay_result *replay_run(
	const struct replay_options *options, char *const *files, size_t file_count);
void replay_result_free(struct replay_result *result); /* NULL is fine */

#endif
