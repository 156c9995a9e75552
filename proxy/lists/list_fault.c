#include "proxy/lists/list_fault.h"

#include <string.h>

static const char *const names[LIST_FAULT_COUNT] = {
	[LIST_FAULT_NONE] = "none",
	[LIST_FAULT_UNREADABLE] = "unreadable",
	[LIST_FAULT_UNREACHABLE] = "unreachable",
	[LIST_FAULT_HTTP] = "http",
	[LIST_FAULT_REDIRECT] = "redirect",
	[LIST_FAULT_TLS] = "tls",
	[LIST_FAULT_FORBIDDEN] = "forbidden",
	[LIST_FAULT_TIMEOUT] = "timeout",
	[LIST_FAULT_TOO_LARGE] = "too_large",
	[LIST_FAULT_TRUNCATED] = "truncated",
	[LIST_FAULT_INTERNAL] = "internal",
	[LIST_FAULT_DIGEST] = "digest",
	[LIST_FAULT_SIGNATURE] = "signature",
	[LIST_FAULT_NOT_A_LIST] = "not_a_list",
	[LIST_FAULT_EMPTY] = "empty",
	[LIST_FAULT_EXPECTATION] = "expectation",
	[LIST_FAULT_TOO_FEW] = "too_few",
	[LIST_FAULT_SHRUNK] = "shrunk",
	[LIST_FAULT_GROWN] = "grown",
	[LIST_FAULT_REJECTS] = "rejects",
	[LIST_FAULT_CANARY_MISSING] = "canary_missing",
	[LIST_FAULT_CANARY_HIT] = "canary_hit",
};

const char *list_fault_name(enum list_fault fault)
{
	return (unsigned)fault < LIST_FAULT_COUNT ? names[fault] : "unknown";
}

bool list_fault_parse(const char *name, enum list_fault *fault)
{
	for (unsigned i = 0; i < LIST_FAULT_COUNT; i++) {
		if (strcmp(name, names[i]) == 0) {
			*fault = (enum list_fault)i;
			return true;
		}
	}
	return false;
}
