/* replay_count.h - the counts of one thread of a replay, line by line. See replay.h. */
#ifndef PROXY_REPLAY_REPLAY_COUNT_H
#define PROXY_REPLAY_REPLAY_COUNT_H

#include "proxy/replay/log_blocks.h"
#include "proxy/replay/replay.h"

struct replay_counter;

/* NULL when out of memory. */
struct replay_counter *replay_counter_new(const struct replay_options *options);
void replay_counter_free(struct replay_counter *counter); /* NULL is fine */

/* Judges and counts all lines of a block. */
void replay_counter_block(struct replay_counter *counter, const struct log_block *block);

/* Takes the result out. */
struct replay_result *replay_counter_result(struct replay_counter *counter);

/* All of `from` as well. */
void replay_result_merge(
	struct replay_result *into, const struct replay_result *from, unsigned examples);

#endif
