/* control.h - the operator's door for what changes or reveals (design, decision 15): a UNIX stream
 * socket, mode 0600, on one loop, used by its thread alone. Only root and our own user are heard
 * (SO_PEERCRED). Each connection says one line and gets one answer; see control_request.h.
 *
 * Bounded: CONTROL_CONNECTIONS_MAX at once, one more waits until one has ended; CONTROL_DEADLINE_MS
 * from the beginning of a connection to its end, whoever is silent or slow is dropped. Allocates
 * once. */
#ifndef PROXY_CONTROL_CONTROL_H
#define PROXY_CONTROL_CONTROL_H

#include <uv.h>

#include "proxy/control/control_verbs.h"

enum { CONTROL_CONNECTIONS_MAX = 8, CONTROL_DEADLINE_MS = 5000 };

struct control;

/* Listens on `path`, whose directory must exist. A socket that a dead process left is replaced; one
 * at which somebody listens is -EADDRINUSE, and what is no socket -ENOTSOCK. `source` is copied.
 * NULL and *error (negative errno) on failure. */
struct control *control_open(
	uv_loop_t *loop, const char *path, const struct control_source *source, int *error);

/* Removes the socket, if it is still ours, and closes all; the memory is freed by itself once the
 * loop has closed the handles. NULL is fine. */
void control_close(struct control *control);

#endif
