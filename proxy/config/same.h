/* same.h - comparing settings that may not be there. */
#ifndef PROXY_CONFIG_SAME_H
#define PROXY_CONFIG_SAME_H

#include "proxy/config.h"

static inline bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

#endif
