#include "proxy/config/setting.h"

#include "base/writer.h"

static void write_path(struct writer *to, const struct setting *setting)
{
	if (!setting->parent)
		return;
	write_path(to, setting->parent);
	if (setting->name) {
		if (to->len)
			writer_u8(to, '.');
		writer_text(to, setting->name);
		return;
	}
	writer_u8(to, '[');
	writer_decimal(to, setting->index);
	writer_u8(to, ']');
}

const char *setting_path(const struct setting *setting, struct setting_path *path)
{
	struct writer to = writer_of(path->text, sizeof path->text - 1);
	write_path(&to, setting);
	path->text[to.len] = '\0';
	return path->text;
}

const struct setting *setting_child(const struct setting *group, const char *name)
{
	for (size_t i = 0; i < group->child_count; i++)
		if (group->children[i].name && strcmp(group->children[i].name, name) == 0)
			return &group->children[i];
	return NULL;
}

const struct setting *setting_child_or_self(const struct setting *group, const char *name)
{
	const struct setting *child = setting_child(group, name);
	return child ? child : group;
}

const char *setting_kind_text(enum setting_kind kind)
{
	static const char *const texts[] = {
		[SETTING_GROUP] = "a group { ... }",
		[SETTING_LIST] = "a list ( ... )",
		[SETTING_ARRAY] = "an array [ ... ]",
		[SETTING_TEXT] = "a text",
		[SETTING_INTEGER] = "a number",
		[SETTING_FLOAT] = "a fraction",
		[SETTING_BOOL] = "true or false",
	};
	return texts[kind];
}
