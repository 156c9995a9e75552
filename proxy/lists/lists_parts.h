/* lists_parts.h - what loading lists is made of. Only for the lists*.c files: lists.c leads,
 * lists_editions.c finds the bytes of each list, lists_keep.c leaves files for the next run,
 * lists_tell.c logs. */
#ifndef PROXY_LISTS_LISTS_PARTS_H
#define PROXY_LISTS_LISTS_PARTS_H

#include "proxy/lists/list_edition.h"
#include "proxy/lists/list_state.h"
#include "proxy/lists/lists.h"

/* What becomes of a list in this load. */
enum how { MISSING, KEEP, READ };

struct item_load {
	const struct domain_list_spec *spec;
	const struct list_source *source;
	struct lists_item *item;
	const struct lists_item *before; /* the same list in force; NULL: none */
	uint16_t before_number;
	enum how how;
	struct list_edition edition;
	const char *suffix;          /* of the file of a fetched list that it was read from */
	const char *refused_suffix;  /* of one that was refused */
	enum list_fault first_fault; /* what the newest edition came to grief of */
	char first_why[FETCH_WHY_MAX];
	uint32_t facet_count; /* of the last attempt to build */
	unsigned rejects_told;
	bool told; /* its rejected lines */
};

struct loading {
	const struct config *config;
	const struct lists_options *options;
	struct config_errors *errors;
	struct lists *previous; /* ours to let go */
	struct lists *lists;
	struct item_load *items;
};

/* Of the files of a fetched list; compared as pointers. */
extern const char suffix_good[];
extern const char suffix_new[];
extern const char suffix_quarantined[];

bool lists_have_state(const struct loading *loading);
/* Where a file of a fetched list is; false when there is no such place. `path` has PATH_MAX. */
bool lists_path(const struct loading *loading, const struct item_load *load, const char *suffix,
	char *path);
/* Has the operator said that this list's edition comes in? */
bool lists_accepted(const struct loading *loading, const struct item_load *load);

void lists_find_editions(struct loading *loading);
void lists_note_fault(struct item_load *load);
/* The newest edition is not to be used. */
void lists_fall_back(const struct loading *loading, struct item_load *load);

void lists_keep(struct loading *loading);

/* False when a list is missing that must not be. */
bool lists_tell(struct loading *loading);
struct rejects {
	const struct loading *loading;
	struct item_load *load;
};
void lists_tell_reject(void *rejects, uint32_t line, enum list_reject reject, struct slice text);
bool lists_tell_failure(struct loading *loading, const char *path, const char *message);

#endif
