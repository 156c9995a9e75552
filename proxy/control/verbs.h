/* verbs.h - one verb of the control socket, one function; for control_verbs.c and the files beside
 * it alone. Each writes its answer's lines and gives NULL, or what went wrong: a text that lives
 * until the next callback of the source. The first word of the request is the verb itself. */
#ifndef PROXY_CONTROL_VERBS_H
#define PROXY_CONTROL_VERBS_H

#include "proxy/control/control_verbs.h"

typedef const char *control_verb_fn(const struct control_source *source,
	const struct control_request *request, struct writer *answer);

control_verb_fn control_verb_exceptions;
control_verb_fn control_verb_lists;
control_verb_fn control_verb_revisions;
control_verb_fn control_verb_shadow;

/* 1 to 10 digits, and no more than 32 bits hold. */
bool control_verb_number(struct slice word, uint32_t *number);

#endif
