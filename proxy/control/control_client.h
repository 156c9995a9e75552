/* control_client.h - the other end of the control socket: what a verb of the command line uses to
 * tell the running program. Blocks; not for the program itself. */
#ifndef PROXY_CONTROL_CONTROL_CLIENT_H
#define PROXY_CONTROL_CONTROL_CLIENT_H

#include "proxy/control/control_request.h"

/* An answer, taken apart at the other end: the lines before the last one, with their newlines. */
struct control_answer {
	struct slice lines;
	struct slice error; /* of the last line; empty when it was "ok" */
};

/* False when the last line is neither "ok" nor an error: it was cut off. */
bool control_client_read(struct control_answer *to, struct slice answer);

/* Says a line (without newline) and hears the answer, which lives in `buffer` (CONTROL_ANSWER_MAX
 * bytes). 0; -ENOENT or -ECONNREFUSED when nobody listens; -EACCES when we may not; ERR_TIMEOUT;
 * ERR_MALFORMED when the answer is cut off; another -errno. */
int control_client_ask(const char *path, const char *line, void *buffer, struct control_answer *to);

#endif
