#include "rules/verdict.h"

static const char *const action_names[ACTION_COUNT] = {
	[ACTION_NONE] = "NONE",
	[ACTION_ALLOW] = "ALLOW",
	[ACTION_ALERT] = "ALERT",
	[ACTION_BLOCK] = "BLOCK",
	[ACTION_MONITOR] = "MONITOR",
	[ACTION_GIVEN] = "GIVEN",
};

static const char *const block_response_names[BLOCK_RESPONSE_COUNT] = {
	[BLOCK_NODATA] = "NODATA",
	[BLOCK_NXDOMAIN] = "NXDOMAIN",
	[BLOCK_OVERRIDE] = "OVERRIDE",
	[BLOCK_REFUSED] = "REFUSED",
	[BLOCK_DROP] = "DROP",
	[BLOCK_ADDRESS] = "ADDRESS",
	[BLOCK_TRUNCATE] = "TRUNCATE",
	[BLOCK_RECORDS] = "RECORDS",
};

const char *action_name(enum action action)
{
	return (unsigned)action < ACTION_COUNT ? action_names[action] : "unknown";
}

const char *block_response_name(enum block_response response)
{
	return (unsigned)response < BLOCK_RESPONSE_COUNT ? block_response_names[response]
							 : "unknown";
}

bool action_parse(const char *text, enum action *action)
{
	/* "NONE" is what is said when no rule matched; no rule can ask for it. */
	for (unsigned i = ACTION_NONE + 1; i < ACTION_COUNT; i++) {
		if (strcmp(text, action_names[i]) == 0) {
			*action = (enum action)i;
			return true;
		}
	}
	return false;
}

bool block_response_parse(const char *text, enum block_response *response)
{
	for (unsigned i = 0; i < BLOCK_CONFIGURED_COUNT; i++) {
		if (strcmp(text, block_response_names[i]) == 0) {
			*response = (enum block_response)i;
			return true;
		}
	}
	return false;
}
