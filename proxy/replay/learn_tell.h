/* learn_tell.h - a learned list as text to be put into a configuration: the list, its rule group,
 * and how a view uses them. */
#ifndef PROXY_REPLAY_LEARN_TELL_H
#define PROXY_REPLAY_LEARN_TELL_H

#include "proxy/replay/learn.h"

#include <stdio.h>

struct learn_told {
	const struct learn_list *list;
	const char *view;
	uint64_t lines;   /* of the view */
	uint64_t blocked; /* of these: nothing was learned of them */
	int64_t first_s;  /* times of the first and the last; 0: none */
	int64_t last_s;
	bool has_suffixes;
	bool has_parents;
};

void learn_tell(FILE *to, const struct learn_told *told);

#endif
