/* unpack.h - lists may be packed with gzip or zstd, whatever their names say: the first bytes tell.
 * A text that is neither comes out as it is. */
#ifndef PROXY_LISTS_UNPACK_H
#define PROXY_LISTS_UNPACK_H

#include "base/slice.h"

enum { UNPACK_RATIO_MAX = 1000 }; /* over 1 MiB, more than this is a bomb */

bool unpack_is_packed(struct slice bytes);

/* By the first four bytes; of zstd a frame, or one to be skipped, which may stand in front. */
bool unpack_is_gzip(struct slice bytes);
bool unpack_is_zstd(struct slice bytes);

/* What zstd's own functions said, when ZSTD_isError() holds, in our words. */
int unpack_zstd_error(size_t said);

/* Unpacks into memory that is the caller's (free()). Several members or frames one after the other
 * are one text. Behind the last one of gzip there may be zeros, as gzip(1) ignores them in silence;
 * of anything else there it only warns, but here nobody would hear that, and it may have been the
 * second half of a list. A window of zstd of more than 128 MiB is refused, as zstd(1) does.
 *
 * Memory: the text, and while it grows half as much again; a window. 0; ERR_TOO_LONG (over `most`
 * bytes, a bomb, or such a window), ERR_MALFORMED (damaged or truncated), ERR_NO_MEMORY. Calling it
 * with bytes that are not packed is ERR_INVALID. */
int unpack(struct slice packed, size_t most, struct slice *text);

#endif
