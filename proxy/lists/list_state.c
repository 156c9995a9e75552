#include "proxy/lists/list_state.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/key_lines.h"

static const char first_line[] = "namegate-lists 1";

/* ---- what a record's lines are ---- */

enum kind { TEXT, HASH, NUMBER, FAULT, FLAG };

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	size_t size; /* of a text */
};

#define FIELD(key, kind, member)                                                                   \
	{                                                                                          \
		(key), (kind), offsetof(struct list_record, member),                               \
			sizeof(((struct list_record *)NULL)->member)                               \
	}

static const struct field fields[] = {
	FIELD("source", TEXT, source),
	FIELD("format", TEXT, format),
	FIELD("hash", HASH, source_hash),
	FIELD("bytes", NUMBER, source_len),
	FIELD("loaded", FLAG, is_loaded),
	FIELD("attempt", NUMBER, attempt_s),
	FIELD("success", NUMBER, success_s),
	FIELD("change", NUMBER, change_s),
	FIELD("fault", FAULT, fault),
	FIELD("why", TEXT, why),
	FIELD("etag", TEXT, etag),
	FIELD("last-modified", TEXT, last_modified),
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

const char *list_state_version(void)
{
	return NAMEGATE_VERSION;
}

/* ---- writing ---- */

static bool put_hash(struct bytes *to, const char *key, const uint8_t hash[IMAGE_HASH_LEN])
{
	char hex[2 * IMAGE_HASH_LEN + 1];
	for (size_t i = 0; i < IMAGE_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return key_lines_put(to, key, hex);
}

static bool put_number(struct bytes *to, const char *key, int64_t number)
{
	return number == 0 || key_lines_put_number(to, key, number);
}

static bool put_field(struct bytes *to, const struct field *field, const void *at)
{
	switch (field->kind) {
	case TEXT: return *(const char *)at == '\0' || key_lines_put(to, field->key, at);
	case HASH: return put_hash(to, field->key, at);
	case NUMBER: return put_number(to, field->key, *(const int64_t *)at);
	case FLAG: return put_number(to, field->key, *(const bool *)at);
	case FAULT:
		return *(const enum list_fault *)at == LIST_FAULT_NONE ||
			key_lines_put(
				to, field->key, list_fault_name(*(const enum list_fault *)at));
	}
	return false;
}

bool list_state_write(struct bytes *to, const struct list_state *state)
{
	bool good = key_lines_put_line(to, first_line) &&
		key_lines_put(to, "version", state->version) &&
		put_hash(to, "image", state->image_hash);
	for (size_t i = 0; good && i < state->count; i++) {
		const struct list_record *record = &state->records[i];
		good = key_lines_put(to, "list", record->name);
		for (size_t n = 0; good && n < FIELD_COUNT; n++)
			good = put_field(to, &fields[n], (const char *)record + fields[n].offset);
	}
	return good && key_lines_put_line(to, "end");
}

/* ---- reading ---- */

static bool take_fault(enum list_fault *to, struct slice value)
{
	char name[32];
	return key_lines_text(name, sizeof name, value) && list_fault_parse(name, to);
}

static bool take_field(const struct field *field, void *at, struct slice value)
{
	int64_t number;
	switch (field->kind) {
	case TEXT: return key_lines_text(at, field->size, value);
	case HASH: return hex_read(at, IMAGE_HASH_LEN, value);
	case NUMBER: return key_lines_number(at, value);
	case FLAG: *(bool *)at = key_lines_number(&number, value) && number == 1; return true;
	case FAULT: return take_fault(at, value);
	}
	return false;
}

struct reading {
	struct list_state *state;
	size_t capacity;
	bool ended;
};

static bool add_record(struct reading *reading, struct slice name)
{
	struct list_state *state = reading->state;
	if (state->count >= LIST_STATE_RECORDS_MAX)
		return false;
	if (state->count == reading->capacity) {
		size_t more = reading->capacity ? reading->capacity * 2 : 16;
		void *moved = realloc(state->records, more * sizeof *state->records);
		if (!moved)
			return false;
		state->records = moved;
		reading->capacity = more;
	}
	struct list_record *record = &state->records[state->count++];
	memset(record, 0, sizeof *record);
	return key_lines_text(record->name, sizeof record->name, name) && name.len > 0;
}

/* A value that is wrong is as if it were not there: it costs a fetch or a rebuild. */
static void take_record_line(struct reading *reading, struct slice key, struct slice value)
{
	struct list_record *record = &reading->state->records[reading->state->count - 1];
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (slice_equals_text(key, fields[i].key))
			take_field(&fields[i], (char *)record + fields[i].offset, value);
}

static bool take_line(struct reading *reading, struct slice key, struct slice value)
{
	struct list_state *state = reading->state;
	if (slice_equals_text(key, "end"))
		reading->ended = true;
	else if (slice_equals_text(key, "list"))
		return add_record(reading, value);
	else if (state->count > 0)
		take_record_line(reading, key, value);
	else if (slice_equals_text(key, "version"))
		return key_lines_text(state->version, sizeof state->version, value);
	else if (slice_equals_text(key, "image"))
		return hex_read(state->image_hash, IMAGE_HASH_LEN, value);
	return true;
}

static bool read_lines(struct reading *reading, struct slice text)
{
	if (!key_lines_begin(&text, first_line))
		return false;
	while (text.len > 0 && !reading->ended) {
		struct key_line line = key_lines_next(&text);
		if (!take_line(reading, line.key, line.value))
			return false;
	}
	return reading->ended;
}

bool list_state_read(struct list_state *state, struct slice text)
{
	struct reading reading = { .state = state };
	*state = (struct list_state){ .count = 0 };
	if (read_lines(&reading, text))
		return true;
	list_state_deinit(state);
	return false;
}

void list_state_deinit(struct list_state *state)
{
	free(state->records);
	*state = (struct list_state){ .count = 0 };
}

const struct list_record *list_state_find(const struct list_state *state, const char *name)
{
	for (size_t i = 0; i < state->count; i++)
		if (strcmp(state->records[i].name, name) == 0)
			return &state->records[i];
	return NULL;
}

/* ---- paths ---- */

bool list_state_file(char *path, const char *directory, const char *file)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", directory, file);
	return len > 0 && len < PATH_MAX;
}

static bool stays(char byte, bool first)
{
	if (byte == '.')
		return !first;
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
		(byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_';
}

bool list_state_path(char *path, const char *directory, const char *name, const char *suffix)
{
	char file[3 * LIST_STATE_NAME_MAX + 16];
	size_t len = 0;
	for (const char *at = name; *at; at++) {
		if (len + 4 > sizeof file)
			return false;
		if (stays(*at, at == name))
			file[len++] = *at;
		else
			len += (size_t)sprintf(file + len, "%%%02X", (unsigned char)*at);
	}
	int whole = snprintf(file + len, sizeof file - len, "%s", suffix);
	return whole >= 0 && (size_t)whole < sizeof file - len &&
		list_state_file(path, directory, file);
}
