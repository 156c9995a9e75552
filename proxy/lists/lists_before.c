#include "proxy/lists/lists_before.h"

#include "base/error.h"
#include "base/log.h"
#include "proxy/lists/list_file.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

void lists_read_state(struct list_state *state, const char *directory)
{
	char path[PATH_MAX];
	struct slice text = slice_of(NULL, 0);
	*state = (struct list_state){ .count = 0 };
	if (!list_state_file(path, directory, "lists.state"))
		return;
	int error = list_file_read(path, LIST_STATE_FILE_MAX, &text);
	if (error && error != -ENOENT)
		log_warning("lists: cannot read %s: %s", path, error_text(error));
	if (!error && !list_state_read(state, text))
		log_warning("lists: %s is damaged: all lists are read again", path);
	free((void *)(uintptr_t)text.at);
}

static struct image_file *open_image(const char *directory)
{
	char path[PATH_MAX];
	const char *why = NULL;
	if (!list_state_file(path, directory, "lists.image"))
		return NULL;
	struct image_file *file = image_file_open(path, &why);
	if (!file)
		log_warning("lists: cannot use %s: %s; all lists are read again", path, why);
	return file;
}

static bool take_record(struct lists *lists, size_t i, const struct list_record *record)
{
	struct lists_item *item = &lists->items[i];
	item->name = arena_text(&lists->memory, record->name);
	item->source = arena_text(&lists->memory, record->source);
	item->source_len = (uint64_t)record->source_len;
	memcpy(item->source_hash, record->source_hash, IMAGE_HASH_LEN);
	lists->numbers[i] = record->is_loaded ? image_find_list(lists->file->image, record->name)
					      : POLICY_NO_ID;
	if (!list_format_parse(record->format, &item->format))
		lists->numbers[i] = POLICY_NO_ID;
	return item->name && item->source;
}

static struct lists *lists_of(const struct list_state *state, struct image_file *file)
{
	struct lists *lists = calloc(1, sizeof *lists);
	if (!lists) {
		image_file_unref(file);
		return NULL;
	}
	atomic_init(&lists->references, 1);
	lists->file = file;
	lists->count = state->count;
	lists->items = arena_take(&lists->memory, state->count + 1, sizeof *lists->items);
	lists->numbers = arena_take(&lists->memory, state->count + 1, sizeof *lists->numbers);
	bool good = lists->items && lists->numbers;
	for (size_t i = 0; good && i < state->count; i++)
		good = take_record(lists, i, &state->records[i]);
	if (good)
		return lists;
	lists_unref(lists);
	return NULL;
}

/* The state says which image it is about: two files cannot be replaced at once. */
static bool belongs(const struct list_state *state, const struct image_file *file)
{
	return memcmp(state->image_hash, image_hash(file->image), IMAGE_HASH_LEN) == 0 &&
		strcmp(state->version, list_state_version()) == 0;
}

/* The image protects all the same, where nothing better can be had; and what is read is measured by
 * it. But which bytes each of its lists was made of, and how, is not known: all are read again. */
static void forget_hashes(struct lists *lists)
{
	for (size_t i = 0; i < lists->count; i++)
		memset(lists->items[i].source_hash, 0, IMAGE_HASH_LEN);
}

struct lists *lists_from_state(const char *directory)
{
	struct list_state state;
	struct lists *lists = NULL;
	lists_read_state(&state, directory);
	struct image_file *file = state.count > 0 ? open_image(directory) : NULL;
	if (file)
		lists = lists_of(&state, file);
	if (lists && !belongs(&state, file))
		forget_hashes(lists);
	list_state_deinit(&state);
	return lists;
}

const struct lists_item *lists_before(
	const struct lists *before, const struct lists_item *item, uint16_t *number)
{
	for (size_t i = 0; before && i < before->count; i++) {
		const struct lists_item *other = &before->items[i];
		if (before->numbers[i] == POLICY_NO_ID || strcmp(other->name, item->name) != 0 ||
			strcmp(other->source, item->source) != 0)
			continue;
		*number = before->numbers[i];
		return other;
	}
	return NULL;
}
