#include "proxy/replay/replay_tally.h"

#include <stdlib.h>
#include <xxhash.h>

struct row {
	uint64_t count;
	struct tally_place first;
	uint32_t key_at, key_len; /* in `text` */
	uint32_t name_at, name_len;
};

struct tally {
	uint32_t rows_max;
	uint32_t row_count;
	uint32_t rows_room;
	uint32_t slot_mask;
	uint32_t *slots; /* one more than a row's number; 0: free */
	struct row *rows;
	size_t text_len;
	size_t text_room;
	uint8_t *text;
	uint64_t others;
};

enum { FIRST_ROWS = 64, FIRST_TEXT = 16 << 10 };

bool tally_place_is_before(const struct tally_place *a, const struct tally_place *b)
{
	return a->file != b->file ? a->file < b->file : a->line < b->line;
}

struct tally *tally_new(uint32_t rows_max)
{
	struct tally *tally = calloc(1, sizeof *tally);
	if (!tally)
		return NULL;
	tally->rows_max = rows_max;
	tally->slot_mask = 1;
	while (tally->slot_mask < 2 * rows_max)
		tally->slot_mask *= 2;
	tally->slots = calloc(tally->slot_mask, sizeof *tally->slots);
	tally->slot_mask--;
	if (tally->slots)
		return tally;
	free(tally);
	return NULL;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	free(tally->slots);
	free(tally->rows);
	free(tally->text);
	free(tally);
}

static struct slice text_of(const struct tally *tally, uint32_t at, uint32_t len)
{
	return slice_of(len ? tally->text + at : NULL, len);
}

static struct slice key_of(const struct tally *tally, uint32_t row)
{
	return text_of(tally, tally->rows[row].key_at, tally->rows[row].key_len);
}

/* The slot that has the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct tally *tally, struct slice key)
{
	uint32_t at = (uint32_t)XXH3_64bits(key.at, key.len) & tally->slot_mask;
	while (tally->slots[at] && !slice_equals(key_of(tally, tally->slots[at] - 1), key))
		at = (at + 1) & tally->slot_mask;
	return &tally->slots[at];
}

static bool make_room(struct tally *tally, size_t text_len)
{
	if (tally->row_count == tally->rows_max || tally->text_len + text_len > TALLY_TEXT_MAX)
		return false;
	if (tally->row_count == tally->rows_room) {
		uint32_t room = tally->rows_room ? 2 * tally->rows_room : FIRST_ROWS;
		struct row *rows = realloc(tally->rows, room * sizeof *rows);
		if (!rows)
			return false;
		tally->rows = rows;
		tally->rows_room = room;
	}
	if (tally->text_len + text_len <= tally->text_room)
		return true;
	size_t room = tally->text_room ? 2 * tally->text_room : FIRST_TEXT;
	while (room < tally->text_len + text_len)
		room *= 2;
	uint8_t *text = realloc(tally->text, room);
	if (!text)
		return false;
	tally->text = text;
	tally->text_room = room;
	return true;
}

static uint32_t keep_text(struct tally *tally, struct slice text)
{
	uint32_t at = (uint32_t)tally->text_len;
	if (text.len > 0)
		memcpy(tally->text + at, text.at, text.len);
	tally->text_len += text.len;
	return at;
}

/* Another name: the place before it was not the first after all. What does not fit stays. */
static void take_first(
	struct tally *tally, struct row *row, const struct tally_place *place, struct slice name)
{
	if (name.len <= row->name_len) {
		if (name.len > 0)
			memcpy(tally->text + row->name_at, name.at, name.len);
	} else {
		if (tally->text_len + name.len > tally->text_room)
			return;
		row->name_at = keep_text(tally, name);
	}
	row->name_len = (uint32_t)name.len;
	row->first = *place;
}

uint32_t tally_add(struct tally *tally, struct slice key, uint64_t count,
	const struct tally_place *place, struct slice name)
{
	uint32_t *slot = find_slot(tally, key);
	if (*slot) {
		struct row *row = &tally->rows[*slot - 1];
		row->count += count;
		if (tally_place_is_before(place, &row->first))
			take_first(tally, row, place, name);
		return *slot - 1;
	}
	if (!make_room(tally, key.len + name.len)) {
		tally->others += count;
		return TALLY_NONE;
	}
	struct row *row = &tally->rows[tally->row_count];
	*row = (struct row){ .count = count,
		.first = *place,
		.key_at = keep_text(tally, key),
		.key_len = (uint32_t)key.len };
	row->name_at = keep_text(tally, name);
	row->name_len = (uint32_t)name.len;
	*slot = ++tally->row_count;
	return *slot - 1;
}

uint32_t tally_row_count(const struct tally *tally)
{
	return tally->row_count;
}

struct tally_row tally_row(const struct tally *tally, uint32_t row)
{
	const struct row *at = &tally->rows[row];
	return (struct tally_row){ .key = key_of(tally, row),
		.count = at->count,
		.first = at->first,
		.name = text_of(tally, at->name_at, at->name_len) };
}

uint64_t tally_others(const struct tally *tally)
{
	return tally->others;
}

void tally_merge(struct tally *into, const struct tally *from)
{
	for (uint32_t i = 0; i < from->row_count; i++) {
		struct tally_row row = tally_row(from, i);
		tally_add(into, row.key, row.count, &row.first, row.name);
	}
	into->others += from->others;
}

static bool comes_before(const struct tally *tally, uint32_t a, uint32_t b)
{
	if (tally->rows[a].count != tally->rows[b].count)
		return tally->rows[a].count > tally->rows[b].count;
	struct slice left = key_of(tally, a);
	struct slice right = key_of(tally, b);
	size_t len = left.len < right.len ? left.len : right.len;
	int order = len ? memcmp(left.at, right.at, len) : 0;
	return order ? order < 0 : left.len < right.len;
}

size_t tally_top(const struct tally *tally, uint32_t *rows, size_t most)
{
	size_t count = 0;
	for (uint32_t row = 0; row < tally->row_count && most > 0; row++) {
		if (count == most && !comes_before(tally, row, rows[count - 1]))
			continue;
		size_t at = count < most ? count++ : count - 1;
		for (; at > 0 && comes_before(tally, row, rows[at - 1]); at--)
			rows[at] = rows[at - 1];
		rows[at] = row;
	}
	return count;
}
