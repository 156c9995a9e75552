/* list_state.h - what a run leaves in the state directory for the next one, so that a restart
 * protects at once, before any network, and asks servers only for what is new:
 *
 *   lists.image        all lists in force, compiled (rules/image.h)
 *   lists.state        text: which image that is, and of each list where it came from, the hash of
 *                      its bytes, when it was asked for and what came of it
 *   NAME.list          the last good edition of a fetched list, as it came
 *   NAME.new           an edition that was fetched and not yet judged
 *   NAME.quarantined   the last one that was refused
 *   NAME.fetching      a fetch under way (keeper.h)
 *   ....minisig        the signature of each of these, where one is asked for
 *
 * The text is read as a stranger's: what is not understood is left out, and costs a rebuild. */
#ifndef PROXY_LISTS_LIST_STATE_H
#define PROXY_LISTS_LIST_STATE_H

#include "base/bytes.h"
#include "proxy/lists/fetch_report.h"

enum {
	LIST_STATE_NAME_MAX = 65, /* with the NUL, as all of these */
	LIST_STATE_SOURCE_MAX = 4097,
	LIST_STATE_FORMAT_MAX = 17,
	LIST_STATE_RECORDS_MAX = IMAGE_LISTS_MAX + 1,
	LIST_STATE_FILE_MAX = 16 * 1024 * 1024,
};

/* Of one list. Times are seconds since 1970; 0: never. */
struct list_record {
	char name[LIST_STATE_NAME_MAX];
	char source[LIST_STATE_SOURCE_MAX];  /* url or path; empty: inline */
	char format[LIST_STATE_FORMAT_MAX];  /* as it was read */
	uint8_t source_hash[IMAGE_HASH_LEN]; /* of the bytes as they came */
	int64_t source_len;
	bool is_loaded; /* it is in the image */
	int64_t attempt_s;
	int64_t success_s;
	int64_t change_s;
	enum list_fault fault; /* of the last attempt */
	char why[FETCH_WHY_MAX];
	char etag[FETCH_TAG_MAX];
	char last_modified[FETCH_TAG_MAX];
};

struct list_state {
	char version[32]; /* of the program: another one may read lists in another way */
	uint8_t image_hash[IMAGE_HASH_LEN];
	struct list_record *records;
	size_t count;
};

/* Of the program that runs. */
const char *list_state_version(void);

/* The text of a state. False when out of memory. */
bool list_state_write(struct bytes *to, const struct list_state *state);
/* False when it is not one, or out of memory; `state` is then empty. */
bool list_state_read(struct list_state *state, struct slice text);
void list_state_deinit(struct list_state *state);

/* NULL when there is none. */
const struct list_record *list_state_find(const struct list_state *state, const char *name);

/* The path of a list's file: the name with all but letters, digits, '-', '_' and '.' as "%XX", as
 * well as a '.' at its beginning. False when it is too long. `path` has PATH_MAX bytes. */
bool list_state_path(char *path, const char *directory, const char *name, const char *suffix);
bool list_state_file(char *path, const char *directory, const char *file);

#endif
