/* tree.h - text to settings, through libconfig. The only place that knows libconfig. */
#ifndef PROXY_CONFIG_TREE_H
#define PROXY_CONFIG_TREE_H

#include "proxy/config/setting.h"
#include "proxy/config/syntax.h"

/* The root of the settings, in `memory`; NULL after the problem was told. `lines` are those that
 * syntax_check() found. */
const struct setting *tree_read(
	const struct source *source, const struct syntax_lines *lines, struct arena *memory);

/* "1.5", of libconfig's headers: the library itself does not tell. */
const char *tree_library_version(void);

#endif
