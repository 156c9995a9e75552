/* revision.h - what is written down of a policy that went live, and of a pin: texts of lines, read
 * as a stranger's. Pure. */
#ifndef PROXY_REVISIONS_REVISION_H
#define PROXY_REVISIONS_REVISION_H

#include "base/bytes.h"
#include "rules/image.h"

enum {
	REVISION_HASH_MAX = 33, /* with the NUL, as all of these */
	REVISION_WHY_MAX = 257,
	REVISION_PATH_MAX = 4097,
	REVISION_VERSION_MAX = 32,
	REVISION_LIST_MAX = 65,
	REVISION_TEXT_MAX = 1024 * 1024,
};

/* What one list was. */
struct revision_list {
	char name[REVISION_LIST_MAX];
	char hash[2 * IMAGE_HASH_LEN + 1]; /* of what it says; "" when it was missing */
	uint64_t entries;
};

struct revision {
	uint32_t number;
	int64_t time_s; /* since 1970: when it came into force */
	char policy_hash[REVISION_HASH_MAX];
	char config_hash[REVISION_HASH_MAX];
	char file[REVISION_PATH_MAX];       /* of the configuration, as it was given */
	char directory[REVISION_PATH_MAX];  /* absolute: where that name leads from */
	char version[REVISION_VERSION_MAX]; /* of the program */
	char why[REVISION_WHY_MAX];         /* "start", "reload", "lists", "rollback to 7: ..." */
	struct revision_list *lists;        /* free()d by revision_deinit() */
	size_t list_count;
};

/* False when out of memory, or longer than REVISION_TEXT_MAX. */
bool revision_write(struct bytes *to, const struct revision *revision);
/* False when it is none, or out of memory; there is nothing to free then. */
bool revision_read(struct revision *revision, struct slice text);
void revision_deinit(struct revision *revision);

/* That a kept revision stays in force, whatever the configuration file says, until that changes. */
struct revision_pin {
	uint32_t number;                     /* of the kept revision */
	int64_t time_s;                      /* when it was pinned */
	char config_hash[REVISION_HASH_MAX]; /* of the file that is passed over */
	char why[REVISION_WHY_MAX];
};
bool revision_pin_write(struct bytes *to, const struct revision_pin *pin);
bool revision_pin_read(struct revision_pin *pin, struct slice text);

#endif
