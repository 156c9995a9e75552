/* revisions_running.h - what the running program says of the revision that is in force. */
#ifndef PROXY_CLI_REVISIONS_RUNNING_H
#define PROXY_CLI_REVISIONS_RUNNING_H

#include "proxy/revisions/revision.h"

struct running {
	uint32_t revision;
	uint32_t kept;
	bool is_pinned;
	bool is_loading;
	uint32_t asked; /* by the last rollback (its number) or unpin (0) */
	uint32_t came;  /* what that became; 0: refused */
	char policy_hash[REVISION_HASH_MAX];
};

/* Asks at a control socket (NULL: there is none); false, and nothing is said, when nobody is there.
 */
bool cli_revisions_running(const char *socket, struct running *running);

#endif
