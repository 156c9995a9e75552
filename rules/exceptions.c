#include "rules/exceptions.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

/* Names are looked up from the longest suffix to the shortest, each by bisection. */
struct exceptions {
	_Atomic unsigned references;
	size_t count;
	uint16_t by_name[EXCEPTIONS_MAX]; /* indices of `at` */
	struct exception at[];            /* by id */
};

static int compare_bytes(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.at, b.at, a.len);
}

static int compare_ids(const void *a, const void *b)
{
	const struct exception *one = a;
	const struct exception *other = b;
	return one->id < other->id ? -1 : one->id > other->id;
}

static struct slice name_at(const struct exceptions *exceptions, size_t place)
{
	return dns_name_slice(&exceptions->at[exceptions->by_name[place]].name);
}

/* There are few, and a change is rare. */
static void sort_names(struct exceptions *exceptions)
{
	for (size_t i = 0; i < exceptions->count; i++) {
		struct slice name = dns_name_slice(&exceptions->at[i].name);
		size_t to = i;
		for (; to > 0 && compare_bytes(name_at(exceptions, to - 1), name) > 0; to--)
			exceptions->by_name[to] = exceptions->by_name[to - 1];
		exceptions->by_name[to] = (uint16_t)i;
	}
}

struct exceptions *exceptions_new(const struct exception *at, size_t count)
{
	if (count > EXCEPTIONS_MAX)
		return NULL;
	struct exceptions *exceptions =
		malloc(sizeof *exceptions + count * sizeof exceptions->at[0]);
	if (!exceptions)
		return NULL;
	atomic_init(&exceptions->references, 1);
	exceptions->count = count;
	if (count > 0)
		memcpy(exceptions->at, at, count * sizeof *at);
	qsort(exceptions->at, count, sizeof *at, compare_ids);
	sort_names(exceptions);
	return exceptions;
}

struct exceptions *exceptions_ref(struct exceptions *exceptions)
{
	atomic_fetch_add_explicit(&exceptions->references, 1, memory_order_relaxed);
	return exceptions;
}

void exceptions_unref(struct exceptions *exceptions)
{
	if (exceptions &&
		atomic_fetch_sub_explicit(&exceptions->references, 1, memory_order_acq_rel) == 1)
		free(exceptions);
}

const struct exception *exceptions_all(const struct exceptions *exceptions, size_t *count)
{
	*count = exceptions->count;
	return exceptions->at;
}

const struct exception *exceptions_by_id(const struct exceptions *exceptions, uint32_t id)
{
	for (size_t i = 0; i < exceptions->count; i++)
		if (exceptions->at[i].id == id)
			return &exceptions->at[i];
	return NULL;
}

static bool is_for(const struct exception *exception, const char *view)
{
	return exception->view[0] == '\0' || (view && strcmp(exception->view, view) == 0);
}

/* Of the same name, and both hold. */
static bool is_better(const struct exception *one, const struct exception *than)
{
	bool names_view = one->view[0] != '\0';
	if (names_view != (than->view[0] != '\0'))
		return names_view;
	if (one->action != than->action)
		return one->action == ACTION_BLOCK;
	return one->id > than->id;
}

/* The first place whose name is not before `name`. */
static size_t place_of(const struct exceptions *exceptions, struct slice name)
{
	size_t low = 0;
	size_t high = exceptions->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_bytes(name_at(exceptions, middle), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct exception *find_at(const struct exceptions *exceptions, const char *view,
	struct slice name, enum pattern_kind kind, int64_t now_s)
{
	const struct exception *found = NULL;
	for (size_t i = place_of(exceptions, name);
		i < exceptions->count && slice_equals(name_at(exceptions, i), name); i++) {
		const struct exception *one = &exceptions->at[exceptions->by_name[i]];
		if (one->kind & kind && one->until_s > now_s && is_for(one, view) &&
			(!found || is_better(one, found)))
			found = one;
	}
	return found;
}

const struct exception *exceptions_find(
	const struct exceptions *exceptions, const char *view, struct slice name, int64_t now_s)
{
	enum pattern_kind kind = PATTERN_EXACT;
	if (exceptions->count == 0 || name.len == 0)
		return NULL;
	for (;;) {
		const struct exception *found = find_at(exceptions, view, name, kind, now_s);
		size_t label = name.at[0] + 1u;
		if (found || label == 1 || label >= name.len)
			return found;
		name = slice_of(name.at + label, name.len - label);
		kind = PATTERN_BELOW;
	}
}

/* ---- what they say ---- */

enum { SAID_MAX = 2 + DNS_NAME_MAX + EXCEPTION_VIEW_MAX };

struct said {
	uint8_t bytes[SAID_MAX];
	size_t len;
};

static struct said say(const struct exception *exception)
{
	struct said said;
	struct writer to = writer_of(said.bytes, sizeof said.bytes);
	writer_u8(&to, (uint8_t)exception->action);
	writer_u8(&to, (uint8_t)exception->kind);
	writer_slice_bytes(&to, dns_name_slice(&exception->name));
	writer_text(&to, exception->view);
	said.len = to.len;
	return said;
}

/* Every one by itself: the sum does not know an order, and two that say the same are one. */
static bool is_repeated(const struct exceptions *exceptions, size_t which, int64_t now_s)
{
	const struct said one = say(&exceptions->at[which]);
	for (size_t i = 0; i < which; i++) {
		const struct said other = say(&exceptions->at[i]);
		if (exceptions->at[i].until_s > now_s &&
			slice_equals(
				slice_of(one.bytes, one.len), slice_of(other.bytes, other.len)))
			return true;
	}
	return false;
}

static void write_hex(uint64_t value, char *hex)
{
	for (unsigned i = 0; i < 16; i++)
		hex[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
}

void exceptions_hash(
	const struct exceptions *exceptions, int64_t now_s, char hex[EXCEPTION_HASH_MAX])
{
	uint64_t low = 0;
	uint64_t high = 0;
	size_t in_force = 0;
	for (size_t i = 0; i < exceptions->count; i++) {
		if (exceptions->at[i].until_s <= now_s || is_repeated(exceptions, i, now_s))
			continue;
		const struct said said = say(&exceptions->at[i]);
		XXH128_hash_t hash = XXH3_128bits(said.bytes, said.len);
		low += hash.low64;
		high += hash.high64;
		in_force++;
	}
	hex[0] = '\0';
	if (in_force == 0)
		return;
	write_hex(high, hex);
	write_hex(low, hex + 16);
	hex[32] = '\0';
}
