/* control_verbs.h - what can be asked for over the control socket. To add a verb: a function and
 * its row in control_verbs.c, and a callback of what it needs below. Pure but for the callbacks. */
#ifndef PROXY_CONTROL_CONTROL_VERBS_H
#define PROXY_CONTROL_CONTROL_VERBS_H

#include "base/writer.h"
#include "proxy/control/control_request.h"

/* What the program can do. The callbacks run on the main thread and must not block. */
struct control_source {
	/* Forgets cached answers: of a name (wire, lower case), or of it and all below. Gives how
	 * many there were. NULL: there is no cache. */
	size_t (*flush)(void *context, struct slice name, bool below);
	void *context;
};

/* Does what the request says; writes the whole answer, its last line included. `answer` has room
 * for CONTROL_ANSWER_MAX bytes. */
void control_verbs_run(const struct control_source *source, const struct control_request *request,
	struct writer *answer);

/* Ends an answer with an error; what was written before goes. */
void control_verbs_fail(struct writer *answer, const char *text);

#endif
