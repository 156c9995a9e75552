/* exceptions_text.h - exceptions as they are kept over a restart: lines of a key and a value, one
 * block an exception, as lists/list_state.h has it for lists. Pure. The text is read as a
 * stranger's: a block that is not understood is left out and counted. */
#ifndef PROXY_EXCEPTIONS_EXCEPTIONS_TEXT_H
#define PROXY_EXCEPTIONS_EXCEPTIONS_TEXT_H

#include "base/bytes.h"
#include "rules/exceptions.h"

enum { EXCEPTIONS_TEXT_MAX = 1024 * 1024 };

struct exceptions_kept {
	struct exception at[EXCEPTIONS_MAX];
	size_t count;
	uint32_t next_id; /* not used yet; at least 1 */
	size_t left_out;  /* blocks that were not understood, or too many */
};

/* False when out of memory. */
bool exceptions_text_write(
	struct bytes *to, const struct exception *at, size_t count, uint32_t next_id);

/* False when it is no such text, or is cut off; what was understood is in `kept` all the same. */
bool exceptions_text_read(struct exceptions_kept *kept, struct slice text);

/* May this be a reason: not empty, and UTF-8 without control characters? */
bool exceptions_text_is_reason(const char *text);

#endif
