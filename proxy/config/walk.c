#include "proxy/config/walk.h"

#include "proxy/config/problem.h"

#include <stdio.h>

static const struct schema_key *find_key(const char *parent, const char *name)
{
	for (size_t i = 0; i < schema_key_count; i++)
		if (schema_key_is_in(&schema_keys[i], parent) &&
			strcmp(schema_key_name(&schema_keys[i]), name) == 0)
			return &schema_keys[i];
	return NULL;
}

static void write_known_keys(struct writer *to, const char *parent)
{
	size_t first = to->len;
	for (size_t i = 0; i < schema_key_count; i++) {
		if (!schema_key_is_in(&schema_keys[i], parent))
			continue;
		if (to->len != first)
			writer_text(to, ", ");
		writer_text(to, schema_key_name(&schema_keys[i]));
	}
}

static struct suggestion closest_key(const char *parent, const char *name)
{
	struct suggestion suggestion = suggestion_for(name);
	for (size_t i = 0; i < schema_key_count; i++)
		if (schema_key_is_in(&schema_keys[i], parent))
			suggestion_offer(&suggestion, schema_key_name(&schema_keys[i]));
	return suggestion;
}

static void tell_unknown(
	struct value_reader *reader, const struct setting *setting, const char *parent)
{
	struct suggestion suggestion = closest_key(parent, setting->name);
	struct hint hint;
	if (suggestion.best) {
		problem_in(reader->errors, setting, "unknown key %s%s", QUOTED(setting->name),
			suggestion_hint(&suggestion, &hint));
		return;
	}
	char known[512];
	struct writer to = writer_of(known, sizeof known - 1);
	write_known_keys(&to, parent);
	known[to.len] = '\0';
	problem_in(reader->errors, setting, "unknown key %s; there are %s here",
		QUOTED(setting->name), known);
}

static bool read_group(
	struct value_reader *reader, const char *parent, const struct setting *group, void *to);

static void preset_keys(struct value_reader *reader, const char *parent, void *to)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		const struct schema_key *key = &schema_keys[i];
		if (!schema_key_is_in(key, parent))
			continue;
		if (key->type == SCHEMA_GROUP)
			preset_keys(reader, key->path, to);
		else
			value_preset(reader, key, (char *)to + key->offset);
	}
}

/* An element of a list of groups: "rule_groups" gives "rule_groups[]". */
struct element_path {
	char text[64];
};

static bool read_groups(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, struct draft_list *list)
{
	bool is_empty_array = setting->kind == SETTING_ARRAY && setting->child_count == 0;
	if (setting->kind != SETTING_LIST && !is_empty_array) {
		problem_in(reader->errors, setting,
			"expected a list of groups ( { ... } ), found %s",
			setting_kind_text(setting->kind));
		return false;
	}
	if (setting->child_count < (size_t)key->least || setting->child_count > (size_t)key->most) {
		problem_in(reader->errors, setting, "%zu elements; there must be %lld to %lld",
			setting->child_count, (long long)key->least, (long long)key->most);
		return false;
	}
	struct element_path path;
	snprintf(path.text, sizeof path.text, "%s[]", key->path);
	list->at = value_take(reader, reader->scratch, setting->child_count, key->size);
	bool fine = list->at != NULL;
	for (size_t i = 0; list->at && i < setting->child_count; i++) {
		struct draft_element *element =
			(void *)((char *)list->at + key->size * list->count++);
		element->at = &setting->children[i];
		preset_keys(reader, path.text, element);
		element->broken = !read_group(reader, path.text, element->at, element);
		fine &= !element->broken;
	}
	return fine;
}

static bool read_key(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	if (key->type == SCHEMA_GROUP)
		return read_group(reader, key->path, setting, to);
	void *field = (char *)to + key->offset;
	if (key->type == SCHEMA_GROUPS)
		return read_groups(reader, key, setting, field);
	return value_read(reader, key, setting, field);
}

/* Was it said of an unknown key in this group that it may be meant to be `name`? */
static bool is_misspelled(const char *parent, const struct setting *group, const char *name)
{
	for (size_t i = 0; i < group->child_count; i++) {
		const char *given = group->children[i].name;
		if (find_key(parent, given))
			continue;
		const char *meant = closest_key(parent, given).best;
		if (meant && strcmp(meant, name) == 0)
			return true;
	}
	return false;
}

static bool tell_missing(
	struct value_reader *reader, const char *parent, const struct setting *group)
{
	bool fine = true;
	for (size_t i = 0; i < schema_key_count; i++) {
		const struct schema_key *key = &schema_keys[i];
		const char *name = schema_key_name(key);
		if (!key->required || !schema_key_is_in(key, parent) || setting_child(group, name))
			continue;
		struct schema_text type;
		fine = false;
		if (!is_misspelled(parent, group, name))
			problem_in(reader->errors, group, "%s is missing (%s)", QUOTED(name),
				key->words ? schema_range_text(key, &type)
					   : schema_type_text(key, &type));
	}
	return fine;
}

/* Reads the keys of one group. False when anything in it was wrong. */
static bool read_group(
	struct value_reader *reader, const char *parent, const struct setting *group, void *to)
{
	if (group->kind != SETTING_GROUP) {
		problem_in(reader->errors, group, "expected a group { ... }, found %s",
			setting_kind_text(group->kind));
		return false;
	}
	bool fine = true;
	for (size_t i = 0; i < group->child_count; i++) {
		const struct setting *setting = &group->children[i];
		const struct schema_key *key = find_key(parent, setting->name);
		if (!key)
			tell_unknown(reader, setting, parent);
		fine &= key && read_key(reader, key, setting, to);
	}
	return tell_missing(reader, parent, group) && fine;
}

void walk_settings(struct value_reader *reader, const struct setting *root, struct draft *draft)
{
	*draft = (struct draft){ .element.at = root };
	preset_keys(reader, "", draft);
	draft->element.broken = !read_group(reader, "", root, draft);
}
