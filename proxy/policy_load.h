/* policy_load.h - from a configuration and its loaded lists to a policy. Off the loops. */
#ifndef PROXY_POLICY_LOAD_H
#define PROXY_POLICY_LOAD_H

#include "proxy/lists/lists.h"

enum { POLICY_HASH_TEXT_MAX = 33 };

/* What it will be known by. False when out of memory. */
bool policy_load_hash(
	const struct config *config, const struct lists *lists, char hex[POLICY_HASH_TEXT_MAX]);

/* `lists` must outlive the policy. `hash` receives 32 hexadecimal digits and a NUL: of the
 * configuration's text and of what every list says, whatever the order of its lines; so two
 * proxies that decide alike have the same. NULL on failure, which was told to `errors`. */
struct policy *policy_load(const struct config *config, const struct lists *lists,
	char hash[POLICY_HASH_TEXT_MAX], struct config_errors *errors);

#endif
