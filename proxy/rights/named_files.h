/* named_files.h - the files that a configuration names to be read. */
#ifndef PROXY_RIGHTS_NAMED_FILES_H
#define PROXY_RIGHTS_NAMED_FILES_H

#include "proxy/config.h"

/* Each, itself and its included ones first, until one gives false, which is given then. The path
 * lives during the call. */
bool named_files_all(const struct config *config, bool (*is_good)(void *context, const char *path),
	void *context);

#endif
