/* setting.h - a configuration as a plain tree: what stands in the file, with the place where it
 * stands, before anybody asks what it means. Built by tree.c; immutable and owned by its arena. */
#ifndef PROXY_CONFIG_SETTING_H
#define PROXY_CONFIG_SETTING_H

#include "base/arena.h"

enum setting_kind {
	SETTING_GROUP, /* { ... } */
	SETTING_LIST,  /* ( ... ) */
	SETTING_ARRAY, /* [ ... ] */
	SETTING_TEXT,
	SETTING_INTEGER,
	SETTING_FLOAT,
	SETTING_BOOL,
};

struct setting {
	const char *name; /* NULL: an element of a list or array, or the root */
	enum setting_kind kind;
	const char *file;
	unsigned line;
	const struct setting *parent; /* NULL: the root */
	size_t index;                 /* among the parent's children */
	const char *text;             /* of SETTING_TEXT */
	int64_t integer;              /* of SETTING_INTEGER; 0 or 1 of SETTING_BOOL */
	struct setting *children;
	size_t child_count;
};

/* "views[0].associations[1].rule_group"; the root is "". Cut when too long. */
struct setting_path {
	char text[512];
};
const char *setting_path(const struct setting *setting, struct setting_path *path);

/* The child of that name, or NULL. */
const struct setting *setting_child(const struct setting *group, const char *name);

/* The child of that name, or the group itself: where to point at when a key is wrong or missing. */
const struct setting *setting_child_or_self(const struct setting *group, const char *name);

/* "a text", "a list ( ... )": what stands there, for messages. */
const char *setting_kind_text(enum setting_kind kind);

#endif
