/* certificate_keeper.h - when the files of `tls` are read again: they have changed and been left
 * alone for a moment, or an hour is over (an OCSP response may have ended, a change may have been
 * missed), or a minute where something could not be used. Reading is its owner's business
 * (server_load.c); what could not be used the keeper tells, each thing once. On one loop, used by
 * its thread alone. */
#ifndef PROXY_CERTIFICATE_KEEPER_H
#define PROXY_CERTIFICATE_KEEPER_H

#include <stdbool.h>
#include <uv.h>

#include "proxy/config.h"

struct certificate_keeper;

struct certificate_keeper_owner {
	void (*load)(void *context); /* read them again, soon */
	void *context;
};

/* Each in a line of its own: what tls_context_reload() told. One writer, then one reader. */
enum { CERTIFICATE_PROBLEMS_MAX = 16, CERTIFICATE_PROBLEMS_LEN_MAX = 8 * 1024 };
struct certificate_problems {
	size_t count; /* of lines; the first CERTIFICATE_PROBLEMS_MAX are in the text */
	char text[CERTIFICATE_PROBLEMS_LEN_MAX];
};
/* For tls_problems; `problems` is a struct certificate_problems. */
void certificate_problems_add(void *problems, const char *message);

/* NULL when out of memory. */
struct certificate_keeper *certificate_keeper_new(
	uv_loop_t *loop, const struct certificate_keeper_owner *owner);
/* These files from now on, which have just been read with success. */
void certificate_keeper_adopt(struct certificate_keeper *keeper, const struct config *config);
/* They were read again. True when there is a problem that was not there before. */
bool certificate_keeper_loaded(
	struct certificate_keeper *keeper, const struct certificate_problems *problems);
/* As they are now; lives as long as the keeper. */
const struct certificate_problems *certificate_keeper_problems(
	const struct certificate_keeper *keeper);
void certificate_keeper_close(struct certificate_keeper *keeper); /* NULL is fine */

#endif
