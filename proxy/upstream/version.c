#include "proxy/upstream/version.h"

#include <ares.h>
#include <stddef.h>

const char *upstream_library_version(void)
{
	return ares_version(NULL);
}
