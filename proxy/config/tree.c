#include "proxy/config/tree.h"

#include "proxy/config/problem.h"

#include <libconfig.h>
#include <stdlib.h>

struct tree {
	const struct source *source;
	const struct syntax_lines *lines;
	size_t next_line;
	struct arena *memory;
};

static enum setting_kind kind_of(const config_setting_t *from)
{
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_GROUP: return SETTING_GROUP;
	case CONFIG_TYPE_LIST: return SETTING_LIST;
	case CONFIG_TYPE_ARRAY: return SETTING_ARRAY;
	case CONFIG_TYPE_STRING: return SETTING_TEXT;
	case CONFIG_TYPE_BOOL: return SETTING_BOOL;
	case CONFIG_TYPE_FLOAT: return SETTING_FLOAT;
	default: return SETTING_INTEGER;
	}
}

/* syntax.c counted what libconfig built, in the same order. */
static void set_place(struct tree *tree, struct setting *to, const config_setting_t *from)
{
	unsigned line = config_setting_source_line(from);
	if (to->parent && tree->next_line < tree->lines->count)
		line = tree->lines->at[tree->next_line++];
	struct source_place place = source_place(tree->source, line ? line : 1);
	to->file = place.file;
	to->line = place.line;
}

static bool copy_setting(struct tree *tree, struct setting *to, const config_setting_t *from);

static bool copy_children(struct tree *tree, struct setting *to, const config_setting_t *from)
{
	to->child_count = (size_t)config_setting_length(from);
	to->children = arena_take(tree->memory, to->child_count, sizeof *to->children);
	if (!to->children)
		return false;
	for (size_t i = 0; i < to->child_count; i++) {
		to->children[i].parent = to;
		to->children[i].index = i;
		if (!copy_setting(
			    tree, &to->children[i], config_setting_get_elem(from, (unsigned)i)))
			return false;
	}
	return true;
}

/* No deeper than SYNTAX_DEPTH_MAX. False when out of memory. */
static bool copy_setting(struct tree *tree, struct setting *to, const config_setting_t *from)
{
	const char *name = config_setting_name(from);
	to->name = name && to->parent ? arena_text(tree->memory, name) : NULL;
	to->kind = kind_of(from);
	set_place(tree, to, from);
	/* Whatever stands in a group has a name, unless there was no memory for it. */
	if (to->parent && to->parent->kind == SETTING_GROUP && !to->name)
		return false;
	switch (to->kind) {
	case SETTING_GROUP:
	case SETTING_LIST:
	case SETTING_ARRAY: return copy_children(tree, to, from);
	case SETTING_TEXT:
		to->text = config_setting_get_string(from);
		to->text = arena_text(tree->memory, to->text ? to->text : "");
		return to->text != NULL;
	case SETTING_BOOL: to->integer = config_setting_get_bool(from) != 0; return true;
	case SETTING_INTEGER: to->integer = config_setting_get_int64(from); return true;
	case SETTING_FLOAT: return true;
	}
	return true;
}

/* libconfig 1.5 writes to what malloc() gave without looking, so it is looked before whether there
 * is as much as it could want: a setting takes it some 200 bytes, and no fewer than 4 of the text.
 */
static bool has_memory_for(const char *text)
{
	void *volatile probe = malloc(64 * strlen(text) + 64 * 1024);
	free(probe);
	return probe != NULL; /* volatile, or a compiler leaves both calls out */
}

const struct setting *tree_read(
	const struct source *source, const struct syntax_lines *lines, struct arena *memory)
{
	struct tree tree = { .source = source, .lines = lines, .memory = memory };
	struct setting *root = NULL;
	config_t from;
	if (!has_memory_for(source->text)) {
		problem_at(source->errors, "", 0, "", "out of memory");
		return NULL;
	}
	config_init(&from);
	if (!config_read_string(&from, source->text)) {
		int line = config_error_line(&from);
		struct source_place place = source_place(source, line > 0 ? (unsigned)line : 1);
		problem_at(
			source->errors, place.file, place.line, "", "%s", config_error_text(&from));
	} else {
		root = arena_take(memory, 1, sizeof *root);
		if (root && !copy_setting(&tree, root, config_root_setting(&from)))
			root = NULL;
		if (!root)
			problem_at(source->errors, "", 0, "", "out of memory");
	}
	config_destroy(&from);
	return root;
}

#define TEXT_OF(number)  #number
#define VALUE_OF(number) TEXT_OF(number)

const char *tree_library_version(void)
{
	return VALUE_OF(LIBCONFIG_VER_MAJOR) "." VALUE_OF(LIBCONFIG_VER_MINOR);
}
