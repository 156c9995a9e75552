/* lists.h - all lists of a configuration, loaded: where each came from, what was wrong with it, and
 * the one image that they are compiled into.
 *
 * What has not changed since the lists before is taken from their image, not read again. An edition
 * that a guard refuses does not come in: the one before stays, and the list says why. Runs off the
 * loops and takes as long as the lists are; immutable afterwards, counted. */
#ifndef PROXY_LISTS_LISTS_H
#define PROXY_LISTS_LISTS_H

#include "proxy/config.h"
#include "proxy/lists/fetch_report.h"
#include "proxy/lists/image_file.h"
#include "rules/policy.h"

enum list_origin { LIST_INLINE, LIST_FILE, LIST_URL, LIST_IMAGE };

/* One list, by the same index as in the configuration. */
struct lists_item {
	const char *name;
	enum list_origin origin;
	const char *source; /* path or url; "" when inline */
	char *path;         /* of the text on this disk; NULL when inline or from an image */
	enum list_format format;
	uint8_t source_hash[IMAGE_HASH_LEN]; /* of the bytes as they came */
	uint64_t source_len;
	bool is_new;           /* its text was read by this load, and is in force */
	enum list_fault fault; /* of the edition that did not come in; NONE: all is well */
	char why[FETCH_WHY_MAX];
};

struct lists {
	_Atomic unsigned references;
	struct image_file *file;
	struct lists_item *items;
	size_t count;
	uint16_t *numbers; /* in the image; POLICY_NO_ID: not loaded */
	int *errors;       /* why not */
	bool is_same;      /* nothing that decides differs from the lists before */
	struct arena memory;
};

struct lists_options {
	struct lists *previous; /* in force now; NULL: the state directory's, if there is one */
	const char *accept;     /* the list whose edition no guard is asked about; NULL: none */
	bool must_load;  /* a list of a file that cannot be used, and never could, is an error */
	bool may_miss;   /* of lists_image: it was kept without the lists that were missing then */
	bool is_refresh; /* of lists in force: one that was missing may go on missing */
	/* Beside those in force: nothing is left behind, a list with a url is the one in force of
	 * the same name and source, and an image that has more lists than these will do. */
	bool is_aside;
	bool keep; /* leave in the state directory what the next run can use */
	/* Behind the guards: does the policy do what is expected of it with these lists? If not,
	 * what is new in them falls back as if a guard had refused it (`why` says why, for people),
	 * and it is asked again. `is_last`: nothing can fall back, all is lost when it does not
	 * hold; then it tells the errors itself. NULL: nobody is asked. */
	bool (*holds)(
		void *context, const struct lists *lists, bool is_last, char why[FETCH_WHY_MAX]);
	void *context;
	uint64_t salt; /* 0: that of the lists before; without them by chance */
};

/* NULL on failure, which was told to `errors`. What is wrong with single lists is logged. */
struct lists *lists_load(const struct config *config, const struct lists_options *options,
	struct config_errors *errors);

struct lists *lists_ref(struct lists *lists);
void lists_unref(struct lists *lists); /* NULL is fine */

/* For policy_build(). */
struct policy_lists lists_for_policy(const struct lists *lists);

#endif
