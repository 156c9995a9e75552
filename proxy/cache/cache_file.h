/* cache_file.h - the cache over a restart: written when the program ends, read when it begins.
 * The file is replaced by rename, has a version, a length and a checksum (XXH3), and every entry in
 * it is checked as if a stranger had written it: a damaged, foreign or old file is left aside with
 * a word, never an error. Times are wall-clock in the file: what ended while we were away is stale
 * or gone. */
#ifndef PROXY_CACHE_CACHE_FILE_H
#define PROXY_CACHE_CACHE_FILE_H

#include "proxy/cache/cache.h"

/* Now, by the cache's clock and by the wall. */
struct cache_clock {
	uint32_t now_s;
	int64_t wall_s;
};
struct cache_clock cache_clock_now(void);

/* Returns the number of entries written, or a negative error (it was logged; the old file stays).
 */
long cache_file_write(struct cache *cache, const char *file, struct cache_clock clock);

/* Returns the number of entries taken; 0 also when there is no file. What is wrong is logged. */
long cache_file_read(struct cache *cache, const char *file, struct cache_clock clock);

#endif
