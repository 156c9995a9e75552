#include "proxy/revisions/revision.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/key_lines.h"

static const char revision_first[] = "namegate-revision 1";
static const char pin_first[] = "namegate-pin 1";

/* ---- what the lines are ---- */

enum kind { TEXT, NUMBER, TIME };

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	size_t size;
};

#define FIELD(holder, key, kind, member)                                                           \
	{                                                                                          \
		(key), (kind), offsetof(struct holder, member),                                    \
			sizeof(((struct holder *)NULL)->member)                                    \
	}

static const struct field revision_fields[] = {
	FIELD(revision, "number", NUMBER, number),
	FIELD(revision, "time", TIME, time_s),
	FIELD(revision, "policy", TEXT, policy_hash),
	FIELD(revision, "config", TEXT, config_hash),
	FIELD(revision, "file", TEXT, file),
	FIELD(revision, "directory", TEXT, directory),
	FIELD(revision, "version", TEXT, version),
	FIELD(revision, "why", TEXT, why),
};

static const struct field pin_fields[] = {
	FIELD(revision_pin, "number", NUMBER, number),
	FIELD(revision_pin, "time", TIME, time_s),
	FIELD(revision_pin, "config", TEXT, config_hash),
	FIELD(revision_pin, "why", TEXT, why),
};

struct fields {
	const struct field *at;
	size_t count;
};

static const struct fields of_revision = { revision_fields,
	sizeof revision_fields / sizeof *revision_fields };
static const struct fields of_pin = { pin_fields, sizeof pin_fields / sizeof *pin_fields };

/* ---- writing ---- */

static bool put_field(struct bytes *to, const struct field *field, const void *at)
{
	if (field->kind == TEXT)
		return key_lines_put(to, field->key, at);
	return key_lines_put_number(
		to, field->key, field->kind == TIME ? *(const int64_t *)at : *(const uint32_t *)at);
}

static bool put_fields(
	struct bytes *to, const char *first, const struct fields *fields, const void *from)
{
	bool good = key_lines_put_line(to, first);
	for (size_t i = 0; good && i < fields->count; i++)
		good = put_field(to, &fields->at[i], (const char *)from + fields->at[i].offset);
	return good;
}

static bool put_list(struct bytes *to, const struct revision_list *list)
{
	return key_lines_put(to, "list", list->name) && key_lines_put(to, "hash", list->hash) &&
		key_lines_put_number(to, "entries", (int64_t)list->entries);
}

bool revision_write(struct bytes *to, const struct revision *revision)
{
	bool good = put_fields(to, revision_first, &of_revision, revision);
	for (size_t i = 0; good && i < revision->list_count; i++)
		good = put_list(to, &revision->lists[i]);
	return good && key_lines_put_line(to, "end");
}

bool revision_pin_write(struct bytes *to, const struct revision_pin *pin)
{
	return put_fields(to, pin_first, &of_pin, pin) && key_lines_put_line(to, "end");
}

/* ---- reading ---- */

static bool take_field(const struct field *field, void *at, struct slice value)
{
	int64_t number;
	if (field->kind == TEXT)
		return key_lines_text(at, field->size, value);
	if (!key_lines_number(&number, value))
		return false;
	if (field->kind == TIME)
		*(int64_t *)at = number;
	else if (number > UINT32_MAX)
		return false;
	else
		*(uint32_t *)at = (uint32_t)number;
	return true;
}

/* Keys that are not known are passed over: a later version may say more. */
static bool take_line(const struct fields *fields, void *to, struct slice key, struct slice value)
{
	for (size_t i = 0; i < fields->count; i++)
		if (slice_equals_text(key, fields->at[i].key))
			return take_field(&fields->at[i], (char *)to + fields->at[i].offset, value);
	return true;
}

static bool add_list(struct revision *revision, struct slice name)
{
	size_t count = revision->list_count;
	if (count >= IMAGE_LISTS_MAX)
		return false;
	if ((count & (count - 1)) == 0) { /* a power of two: there is no room */
		void *moved = realloc(revision->lists, 2 * (count + 1) * sizeof *revision->lists);
		if (!moved)
			return false;
		revision->lists = moved;
	}
	struct revision_list *list = &revision->lists[revision->list_count++];
	*list = (struct revision_list){ .entries = 0 };
	return key_lines_text(list->name, sizeof list->name, name);
}

static bool take_list_line(struct revision *revision, struct slice key, struct slice value)
{
	struct revision_list *list = &revision->lists[revision->list_count - 1];
	int64_t number;
	if (slice_equals_text(key, "hash"))
		return key_lines_text(list->hash, sizeof list->hash, value);
	if (!slice_equals_text(key, "entries"))
		return true;
	if (!key_lines_number(&number, value))
		return false;
	list->entries = (uint64_t)number;
	return true;
}

/* False when it was cut off. */
static bool take_revision(struct revision *revision, struct slice text)
{
	while (text.len > 0) {
		struct key_line line = key_lines_next(&text);
		bool good = true;
		if (slice_equals_text(line.key, "end"))
			return revision->number > 0;
		if (slice_equals_text(line.key, "list"))
			good = add_list(revision, line.value);
		else if (revision->list_count > 0)
			good = take_list_line(revision, line.key, line.value);
		else
			good = take_line(&of_revision, revision, line.key, line.value);
		if (!good)
			return false;
	}
	return false;
}

bool revision_read(struct revision *revision, struct slice text)
{
	memset(revision, 0, sizeof *revision);
	if (key_lines_begin(&text, revision_first) && take_revision(revision, text))
		return true;
	revision_deinit(revision);
	return false;
}

void revision_deinit(struct revision *revision)
{
	free(revision->lists);
	revision->lists = NULL;
	revision->list_count = 0;
}

bool revision_pin_read(struct revision_pin *pin, struct slice text)
{
	memset(pin, 0, sizeof *pin);
	if (!key_lines_begin(&text, pin_first))
		return false;
	while (text.len > 0) {
		struct key_line line = key_lines_next(&text);
		if (slice_equals_text(line.key, "end"))
			return pin->number > 0;
		if (!take_line(&of_pin, pin, line.key, line.value))
			return false;
	}
	return false;
}
