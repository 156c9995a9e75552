#include "rules/lists/rpz_answers.h"

#include "base/error.h"
#include "rules/lists/records.h"

#include <stdlib.h>
#include <xxhash.h>

/* No more fit into a facet, whatever they are; also bounds what an owner costs. */
enum { OWNER_RECORDS_MAX = FACET_RECORDS_MAX / 8 };

struct rpz_answer {
	uint64_t hash;        /* of the owner: sorting by it does not look at the bytes */
	const uint8_t *bytes; /* owner, RDATA */
	const uint8_t *line_at;
	uint32_t line;
	uint32_t ttl_s;
	uint16_t type;
	uint16_t rdata_len;
	uint8_t owner_len;
	uint8_t kind;
};

static bool make_room(struct rpz_answers *answers)
{
	if (answers->count < answers->capacity)
		return true;
	size_t capacity = answers->capacity ? answers->capacity * 2 : 64;
	struct rpz_answer *records = realloc(answers->records, capacity * sizeof *records);
	if (!records)
		return false;
	answers->records = records;
	answers->capacity = capacity;
	return true;
}

int rpz_answers_add(struct rpz_answers *answers, const struct rpz_owner_key *owner, uint32_t line,
	const uint8_t *line_at, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	if (answers->count == RPZ_ANSWERS_MAX)
		return ERR_TOO_LONG;
	uint8_t *bytes = arena_take(&answers->arena, owner->name.len + rdata.len, 1);
	if (!bytes || !make_room(answers))
		return ERR_NO_MEMORY;
	memcpy(bytes, owner->name.at, owner->name.len);
	memcpy(bytes + owner->name.len, rdata.at, rdata.len);
	answers->records[answers->count++] = (struct rpz_answer){
		.hash = XXH3_64bits_withSeed(bytes, owner->name.len, owner->kind),
		.bytes = bytes,
		.line_at = line_at,
		.line = line,
		.ttl_s = ttl_s,
		.type = type,
		.rdata_len = (uint16_t)rdata.len,
		.owner_len = (uint8_t)owner->name.len,
		.kind = owner->kind,
	};
	return 0;
}

/* --- telling --- */

static int compare_owners(const struct rpz_answer *one, const struct rpz_answer *other)
{
	if (one->hash != other->hash)
		return one->hash < other->hash ? -1 : 1;
	if (one->owner_len != other->owner_len)
		return one->owner_len < other->owner_len ? -1 : 1;
	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	return memcmp(one->bytes, other->bytes, one->owner_len);
}

static int compare(const void *a, const void *b)
{
	const struct rpz_answer *one = a;
	const struct rpz_answer *other = b;
	int order = compare_owners(one, other);
	return order ? order : (one->line > other->line) - (one->line < other->line);
}

static uint32_t smallest_ttl(const struct rpz_answer *from, size_t count, uint16_t type)
{
	uint32_t ttl_s = UINT32_MAX;
	for (size_t i = 0; i < count; i++)
		if (from[i].type == type && from[i].ttl_s < ttl_s)
			ttl_s = from[i].ttl_s;
	return ttl_s;
}

static void tell_owner(
	const struct rpz_answer *from, size_t count, const struct rpz_answers_sink *sink)
{
	struct records records = { .len = 0 };
	struct rpz_owner_key owner = { from->kind, slice_of(from->bytes, from->owner_len) };
	size_t most = count < OWNER_RECORDS_MAX ? count : OWNER_RECORDS_MAX;
	for (size_t i = 0; i < count; i++) {
		struct slice rdata = slice_of(from[i].bytes + from[i].owner_len, from[i].rdata_len);
		if (i >= most ||
			!records_add(&records, from[i].type, smallest_ttl(from, most, from[i].type),
				rdata))
			sink->on_left_out(sink->context, from[i].line, from[i].line_at);
	}
	sink->on_answer(sink->context, &owner, from->line, records_slice(&records));
}

void rpz_answers_tell(struct rpz_answers *answers, const struct rpz_answers_sink *sink)
{
	const struct rpz_answer *records = answers->records;
	if (answers->count > 0)
		qsort(answers->records, answers->count, sizeof *records, compare);
	for (size_t at = 0, end; at < answers->count; at = end) {
		for (end = at + 1; end < answers->count; end++)
			if (compare_owners(&records[at], &records[end]) != 0)
				break;
		tell_owner(&records[at], end - at, sink);
	}
	rpz_answers_deinit(answers);
}

void rpz_answers_deinit(struct rpz_answers *answers)
{
	arena_free(&answers->arena);
	free(answers->records);
	*answers = (struct rpz_answers){ 0 };
}
