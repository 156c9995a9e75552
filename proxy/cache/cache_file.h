/* cache_file.h - the cache over a restart: written when the program ends, read when it begins.
 * The file is replaced by rename, has a version, a length and a checksum (XXH3), and every entry in
 * it is checked as if a stranger had written it: a damaged, foreign or old file is left aside with
 * a word, never an error. Ages in the file are those of the wall-clock time that it tells: what
 * ended while we were away is stale or gone. When the clock was set back meanwhile, nobody knows
 * for how long we were away, and all of it is stale. Failures are not written.
 *
 * The entries are answers, though: whoever can write the file can say anything. So one that belongs
 * to another user than ours and root, or that everybody can write, is left aside too. And what is
 * no cache file is never replaced: a wrong path must not cost a key or a log. */
#ifndef PROXY_CACHE_CACHE_FILE_H
#define PROXY_CACHE_CACHE_FILE_H

#include "dns/packed.h"
#include "proxy/cache/cache.h"

/* Now, by the cache's clock and by the wall. */
struct cache_clock {
	uint32_t now_s;
	int64_t wall_s;
};
struct cache_clock cache_clock_now(void);

/* Returns the number of entries written, or a negative error (it was logged; the old file stays):
 * -EEXIST when something else than a cache file, or an empty one, stands in its place. */
long cache_file_write(struct cache *cache, const char *file, struct cache_clock clock);

/* Returns the number of entries taken; 0 also when there is no file. What is wrong is logged, a
 * directory that cannot be written included. */
long cache_file_read(struct cache *cache, const char *file, struct cache_clock clock);

/* --- the second half of reading, behind the checksum --- */

/* How long the records have lain in the file; CACHE_FILE_TOO_LONG: nobody knows, so all have ended.
 */
struct cache_file_age {
	uint32_t now_s;
	int64_t gone_s;
};
#define CACHE_FILE_TOO_LONG INT64_MAX

/* Takes the whole records that `bytes` begin with and adds their number to `*taken`; those that are
 * of no use are stepped over. Returns how many bytes they were, or ERR_MALFORMED. Trusts nothing.
 */
long cache_file_take(
	struct cache *cache, struct slice bytes, const struct cache_file_age *age, long *taken);

/* Bytes that the longest record has. */
enum { CACHE_FILE_RECORD_MAX = 24 + DNS_NAME_MAX + DNS_PACKED_MAX };

#endif
