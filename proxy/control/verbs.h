/* verbs.h - one verb of the control socket, one function; for control_verbs.c and the files beside
 * it alone. Each writes its answer's lines and gives NULL, or what went wrong. */
#ifndef PROXY_CONTROL_VERBS_H
#define PROXY_CONTROL_VERBS_H

#include "proxy/control/control_verbs.h"

const char *control_verb_revisions(const struct control_source *source,
	const struct control_request *request, struct writer *answer);

const char *control_verb_exceptions(const struct control_source *source,
	const struct control_request *request, struct writer *answer);

/* 1 to 10 digits. */
bool control_verb_number(struct slice word, uint32_t *number);

#endif
