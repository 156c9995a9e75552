/* policy_load.h - from a configuration to a policy: reads the list files and has them compiled.
 * Runs off the loops; takes as long as the lists are. */
#ifndef PROXY_POLICY_LOAD_H
#define PROXY_POLICY_LOAD_H

#include "proxy/config.h"
#include "rules/policy.h"

/* What a policy was built over. Zero-initialised it is none. */
struct policy_image {
	struct image *image;
	struct slice bytes;
};

/* A list file that cannot be read, that has lines but not one usable name, or that has not one
 * byte, is an error when `lists_must_load` (not one byte: only then); otherwise it is logged, and
 * the views that use it are in their fail mode. Rejected lines are logged, the first few of each
 * list with their number. `hash` receives 32 hexadecimal digits and a NUL: the configuration's text
 * and every list's bytes. `image` is to be freed after the policy. NULL on failure, which was told
 * to `errors`; then there is no image either. */
struct policy *policy_load(const struct config *config, bool lists_must_load, char hash[33],
	struct policy_image *image, struct config_errors *errors);
void policy_image_free(struct policy_image *image);

#endif
