/* shadow_keeper_parts.h - what the files of the keeper share: shadow_keeper.c decides,
 * shadow_keeper_tell.c tells. For them alone. */
#ifndef PROXY_SHADOW_SHADOW_KEEPER_PARTS_H
#define PROXY_SHADOW_SHADOW_KEEPER_PARTS_H

#include "proxy/shadow/shadow_keeper.h"

/* One load; between prepare and loaded it is the thread's. */
struct shadow_load {
	unsigned generation;
	const struct snapshot *in_force;
	struct snapshot *before; /* its lists alone are loaded again; NULL: `file` is read */
	char *file;              /* NULL: nothing to load */
	struct snapshot *loaded;
	char note[SHADOW_NOTE_MAX];
};

struct shadow_keeper {
	const char *config_file;
	unsigned worker_count;
	enum shadow_state state;
	unsigned generation; /* of the order */
	bool is_by_config;
	struct shadow_order order;
	struct snapshot *candidate; /* NULL: none yet */
	struct shadow_tally *tally;
	struct arena memory; /* of the order */
	struct shadow_load load;
	char note[SHADOW_NOTE_MAX]; /* lines: what is wrong, or what came of promoting */
	char refusal[SHADOW_NOTE_MAX];
};

#endif
