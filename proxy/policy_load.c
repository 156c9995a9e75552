#include "proxy/policy_load.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/error.h"

/* A list that is not loaded counts as such; its number keeps lists that follow from taking its
 * place. */
static void add_list(XXH3_state_t *state, const struct lists *lists, size_t i)
{
	static const uint8_t missing[IMAGE_HASH_LEN];
	uint16_t number = lists->numbers[i];
	XXH3_128bits_update(state,
		number == POLICY_NO_ID ? missing : image_list(lists->file->image, number)->hash,
		IMAGE_HASH_LEN);
}

bool policy_load_hash(
	const struct config *config, const struct lists *lists, char hex[POLICY_HASH_TEXT_MAX])
{
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return false;
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, config->hash, sizeof config->hash);
	for (size_t i = 0; i < lists->count; i++)
		add_list(state, lists, i);
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	snprintf(hex, POLICY_HASH_TEXT_MAX, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
	return true;
}

struct policy *policy_load(const struct config *config, const struct lists *lists,
	char hash[POLICY_HASH_TEXT_MAX], struct config_errors *errors)
{
	const struct policy_lists where = lists_for_policy(lists);
	int error = ERR_NO_MEMORY;
	struct policy *policy = policy_load_hash(config, lists, hash)
		? policy_build(&config->policy, &where, &error)
		: NULL;
	if (policy)
		return policy;
	errors->count++;
	errors->on_error(errors->context, config->file, 0, "", error_text(error));
	return NULL;
}
