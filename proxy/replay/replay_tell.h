/* replay_tell.h - what came of a replay, for people and for programs. docs/replay.md has both. */
#ifndef PROXY_REPLAY_REPLAY_TELL_H
#define PROXY_REPLAY_REPLAY_TELL_H

#include "proxy/replay/replay.h"

#include <stdio.h>

struct replay_told {
	const struct replay_result *result;
	char *const *files;
	const char *candidate; /* its file */
	const char *candidate_hash;
	const char *current; /* its file; NULL: what the log recorded */
	const char *current_hash;
	unsigned top; /* rows of each table */
};

enum { REPLAY_TOP_MAX = 1000 };

void replay_tell_text(FILE *to, const struct replay_told *told);
void replay_tell_json(FILE *to, const struct replay_told *told);

#endif
