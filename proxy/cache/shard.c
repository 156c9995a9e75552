/* shard.c - how its memory is divided:
 *
 *   slots | ghost sets | small log | main log
 *
 * A place in the index is a distance from the start of the memory in units of ENTRY_ALIGN, so 0 is
 * never an entry's. */
#include "proxy/cache/shard.h"

#include <assert.h>

enum {
	ENTRY_TYPICAL = 200,  /* bytes: head 44, name 24, packed answer with an address or an SOA */
	BYTES_PER_SLOT = 160, /* typical entries fill 4/5 of the slots */
	SLOTS_LOAD_OF_8 = 7,
	SLOTS_FIRST = 512, /* a page; doubled when needed, so that few names touch few pages */
	SMALL_PERCENT = 10,
	SPARE_PART = 16, /* of the main log: room to spare */
	AHEAD_PART = 32, /* of the main log, to be free while there is room to spare */
	PROMOTED = 1,    /* asked for so often: goes from the small to the main log. The paper has
			    2; real logs of queries say 1 */
	COPY_COST_MIN = 256, /* of the patience, for entries that are smaller */
	SLACK_MAX = 64,      /* bytes that replacing in place may waste */
	RECLAIM_MAX = 64,    /* entries that are over, taken from the main log in one go */
	WALK_PORTION = 64,   /* entries */
	WALK_RINGS = 4,      /* a walk ends after so many times the size of a ring */
};

static size_t round_down(size_t size, size_t to)
{
	return size - size % to;
}

void shard_init(struct shard *shard, void *memory, size_t size)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&shard->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	assert(size >= SHARD_SIZE_MIN && (uint64_t)size / ENTRY_ALIGN <= UINT32_MAX);
	uint8_t *at = shard->memory = memory;
	shard->slots = (struct slots){ .at = (void *)at, .capacity = SLOTS_FIRST };
	shard->slots_most = (uint32_t)(size / BYTES_PER_SLOT);
	at += shard->slots_most * sizeof(struct slot);
	shard->ghost = (struct ghost){ .sets = (void *)at,
		.count = (uint32_t)(size / ENTRY_TYPICAL / GHOST_WAYS) };
	at += shard->ghost.count * sizeof(struct ghost_set);
	size_t left = size - (size_t)(at - shard->memory);
	size_t small = round_down(left * SMALL_PERCENT / 100, ENTRY_ALIGN);
	shard->small = (struct ring){ .start = at, .size = small };
	shard->main =
		(struct ring){ .start = at + small, .size = round_down(left - small, ENTRY_ALIGN) };
}

void shard_deinit(struct shard *shard)
{
	pthread_mutex_destroy(&shard->lock);
}

void shard_lock(struct shard *shard)
{
	if (pthread_mutex_trylock(&shard->lock) == 0)
		return;
	pthread_mutex_lock(&shard->lock);
	shard->contended++;
}

void shard_unlock(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

/* --- entries and the index --- */

static struct entry *entry_at(const struct shard *shard, uint32_t place)
{
	return (struct entry *)(void *)(shard->memory + (size_t)place * ENTRY_ALIGN);
}

static uint32_t place_of(const struct shard *shard, const struct entry *entry)
{
	return (uint32_t)((size_t)((const uint8_t *)entry - shard->memory) / ENTRY_ALIGN);
}

bool shard_is_main(const struct shard *shard, const struct entry *entry)
{
	return (const uint8_t *)entry >= shard->main.start;
}

static bool has_key(const struct entry *entry, const struct shard_key *own)
{
	const struct cache_key *key = own->key;
	return entry->name_len == key->name.len && entry->type == own->type &&
		entry->class == key->class && entry->flags == key->flags &&
		entry->group == key->group &&
		memcmp(entry->bytes, key->name.at, key->name.len) == 0;
}

static struct entry *look_up(const struct shard *shard, const struct shard_key *own)
{
	struct slots_search search = slots_search_of(&shard->slots, own->tag);
	uint32_t place;
	while ((place = slots_next(&shard->slots, &search, own->tag)) != 0) {
		struct entry *entry = entry_at(shard, place);
		if (has_key(entry, own))
			return entry;
	}
	return NULL;
}

static void forget(struct shard *shard, struct entry *entry)
{
	slots_remove(&shard->slots, entry->tag, place_of(shard, entry));
	shard->used -= entry->size;
	shard->main_used -= shard_is_main(shard, entry) ? entry->size : 0;
	entry->kind = ENTRY_DEAD;
}

static void count_use(struct entry *entry)
{
	if (entry->frequency < ENTRY_FREQUENCY_MAX)
		entry->frequency++;
}

/* --- eviction --- */

/* May an entry be copied in this put? */
static bool has_patience(struct shard *shard, const struct entry *entry)
{
	size_t cost = entry->size < COPY_COST_MIN ? COPY_COST_MIN : entry->size;
	if (shard->patience == 0)
		return false;
	shard->patience -= cost < shard->patience ? cost : shard->patience;
	return true;
}

static void drop(struct shard *shard, struct entry *entry, const struct entry_clock *clock)
{
	if (entry_state(entry, clock) == CACHE_FRESH)
		shard->evicted++;
	forget(shard, entry);
}

/* Appends to the main log, which has room, an entry that was taken from a tail a moment ago: the
 * copy may overlap it. */
static void move_to_main(struct shard *shard, struct entry *entry)
{
	uint32_t tag = entry->tag;
	uint32_t size = entry->size;
	struct entry *copy = ring_append(&shard->main, size);
	slots_move(&shard->slots, tag, place_of(shard, entry), place_of(shard, copy));
	memmove(copy, entry, size);
}

static bool index_is_full(const struct shard *shard)
{
	return shard->slots.count >= shard->slots_most / 8 * SLOTS_LOAD_OF_8;
}

/* Is there room in the main log for `size` bytes that nobody needs more? What is dead counts as
 * room, although it may have to be brought to the tail first. */
static bool main_has_spare_room(const struct shard *shard, size_t size)
{
	size_t spare = shard->main.size / SPARE_PART;
	return !index_is_full(shard) && shard->main_used + size + spare <= shard->main.size;
}

/* Takes the tail of the main log: out, or round once more. While there is room to spare, only what
 * is dead or over goes out: then the round brings the dead to the tail. */
static void evict_main(struct shard *shard, const struct entry_clock *clock)
{
	struct entry *entry = ring_tail(&shard->main);
	ring_take_tail(&shard->main);
	if (entry->kind == ENTRY_DEAD)
		return;
	bool spare = main_has_spare_room(shard, 0);
	if ((entry->frequency == 0 && !spare) || entry_is_over(entry, clock) ||
		!has_patience(shard, entry)) {
		drop(shard, entry, clock);
		return;
	}
	if (!spare)
		entry->frequency--;
	move_to_main(shard, entry);
}

/* While there is room to spare, the dead are brought to the tail before they are needed, a little
 * with each put: otherwise the one that meets many living in a row runs out of patience. */
static void make_room_in_main(struct shard *shard, size_t size, const struct entry_clock *clock)
{
	size_t ahead = shard->main.size / AHEAD_PART;
	while (main_has_spare_room(shard, 0) && !ring_has_room(&shard->main, size + ahead) &&
		shard->patience > 0)
		evict_main(shard, clock);
	while (!ring_has_room(&shard->main, size))
		evict_main(shard, clock);
}

/* What is over is the first to go: so that it does not keep its place in the main log until
 * promotions push it out. */
static void reclaim_main(struct shard *shard, size_t size, const struct entry_clock *clock)
{
	for (unsigned i = 0; i < RECLAIM_MAX && !main_has_spare_room(shard, size); i++) {
		const struct entry *entry = ring_tail(&shard->main);
		if (ring_is_empty(&shard->main) ||
			(entry->kind != ENTRY_DEAD && !entry_is_over(entry, clock)))
			return;
		evict_main(shard, clock);
	}
}

/* Goes over to the main log when it was asked for, or while there is room that nobody needs. */
static bool promote(struct shard *shard, struct entry *entry, const struct entry_clock *clock)
{
	bool proved = entry->frequency >= PROMOTED;
	if (!proved)
		reclaim_main(shard, entry->size, clock);
	if (!proved && !main_has_spare_room(shard, entry->size))
		return false;
	if (!has_patience(shard, entry))
		return false;
	entry->frequency = proved ? 0 : entry->frequency;
	make_room_in_main(shard, entry->size, clock);
	shard->main_used += entry->size;
	move_to_main(shard, entry);
	return true;
}

/* Takes the tail of the small log: over to the main log, or out. */
static void evict_small(struct shard *shard, const struct entry_clock *clock)
{
	struct entry *entry = ring_tail(&shard->small);
	ring_take_tail(&shard->small);
	if (entry->kind == ENTRY_DEAD)
		return;
	if (entry_is_over(entry, clock)) {
		drop(shard, entry, clock);
		return;
	}
	if (promote(shard, entry, clock))
		return;
	ghost_put(&shard->ghost, entry->tag, entry->fingerprint);
	drop(shard, entry, clock);
}

static void index_ring(struct shard *shard, const struct ring *ring)
{
	for (uint64_t at = ring->tail; at < ring->head; at += ring_entry(ring, at)->size) {
		const struct entry *entry = ring_entry(ring, at);
		if (entry->kind != ENTRY_DEAD)
			slots_add(&shard->slots, entry->tag, place_of(shard, entry));
	}
}

/* A handful of times in a shard's life; the largest takes less than half a millisecond. */
static void grow_index(struct shard *shard)
{
	struct slots *slots = &shard->slots;
	memset(slots->at, 0, slots->capacity * sizeof *slots->at);
	slots->count = 0;
	slots->capacity =
		slots->capacity * 2 < shard->slots_most ? slots->capacity * 2 : shard->slots_most;
	index_ring(shard, &shard->small);
	index_ring(shard, &shard->main);
}

/* Entries smaller than those that the index was made for: the logs keep their proportion. */
static void make_room_in_index(struct shard *shard, const struct entry_clock *clock)
{
	while (index_is_full(shard)) {
		size_t part = (ring_len(&shard->small) + ring_len(&shard->main)) / 100;
		if (ring_len(&shard->small) >= part * SMALL_PERCENT &&
			!ring_is_empty(&shard->small))
			evict_small(shard, clock);
		else
			evict_main(shard, clock);
	}
	if (shard->slots.count >= shard->slots.capacity / 8 * SLOTS_LOAD_OF_8)
		grow_index(shard);
}

static struct entry *append(
	struct shard *shard, struct ring *ring, size_t size, const struct entry_clock *clock)
{
	make_room_in_index(shard, clock);
	if (ring == &shard->main)
		make_room_in_main(shard, size, clock);
	else
		while (!ring_has_room(ring, size))
			evict_small(shard, clock);
	struct entry *entry = ring_append(ring, size);
	entry->size = (uint32_t)size;
	return entry;
}

/* --- putting --- */

static bool is_too_large(const struct shard *shard, const struct shard_key *own, struct slice value)
{
	return entry_size(own->key->name.len, value.len) > shard->small.size;
}

static bool fits_in_place(const struct entry *entry, size_t size)
{
	return size <= entry->size && entry->size - size < SLACK_MAX;
}

static void write_entry(struct entry *entry, const struct shard_key *own, struct slice value)
{
	entry->kind = ENTRY_ANSWER;
	entry->flags = own->key->flags;
	entry->name_len = (uint8_t)own->key->name.len;
	entry->tag = own->tag;
	entry->fingerprint = own->fingerprint;
	entry->hits = 0;
	entry->failures = 0;
	entry->group = own->key->group;
	entry->type = own->type;
	entry->class = own->key->class;
	entry->value_len = (uint32_t)value.len;
	memcpy(entry->bytes, own->key->name.at, own->key->name.len);
	if (value.len > 0)
		memcpy(entry->bytes + entry->name_len, value.at, value.len);
}

static void set_times(struct entry *entry, uint32_t stored_s, uint32_t expires_s)
{
	entry->stored_s = stored_s;
	entry->expires_s = expires_s;
	entry->retry_s = stored_s;
	entry->refresh_s = stored_s;
}

/* A place for a key that may have had one: then it keeps its log and what it earned there. To be
 * asked for when its time was over is to be asked for; a refresh of what is fresh is not. The
 * caller writes key, value and times. */
static struct entry *take_place(struct shard *shard, const struct shard_key *own, struct entry *old,
	size_t size, const struct entry_clock *clock)
{
	struct ring *ring = &shard->small;
	uint8_t frequency = 0;
	if (old) {
		if (entry_state(old, clock) == CACHE_MISS)
			count_use(old);
		if (fits_in_place(old, size))
			return old;
		frequency = old->frequency;
		ring = shard_is_main(shard, old) ? &shard->main : &shard->small;
		forget(shard, old);
	} else if (ghost_take(&shard->ghost, own->tag, own->fingerprint)) {
		ring = &shard->main;
	}
	struct entry *entry = append(shard, ring, size, clock);
	slots_add(&shard->slots, own->tag, place_of(shard, entry));
	shard->used += size;
	shard->main_used += ring == &shard->main ? size : 0;
	entry->frequency = frequency;
	return entry;
}

static struct entry *put(struct shard *shard, const struct shard_key *own, struct entry *old,
	struct slice value, const struct entry_clock *clock)
{
	shard->patience = SHARD_PATIENCE;
	shard->inserted++;
	struct entry *entry =
		take_place(shard, own, old, entry_size(own->key->name.len, value.len), clock);
	write_entry(entry, own, value);
	return entry;
}

/* What is there is no longer what the upstream says. */
static void supersede(struct shard *shard, struct entry *old, const struct entry_clock *clock)
{
	if (!old)
		return;
	if (old->kind == ENTRY_FAILURE)
		forget(shard, old);
	else if (entry_state(old, clock) == CACHE_FRESH)
		old->expires_s = clock->now_s;
}

void shard_put(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	struct slice value, uint32_t ttl_s, const struct entry_clock *clock)
{
	struct entry *old = look_up(shard, own);
	struct entry *disproved = any ? look_up(shard, any) : NULL;
	if (disproved)
		forget(shard, disproved);
	if (ttl_s == 0 || is_too_large(shard, own, value)) {
		supersede(shard, old, clock);
		return;
	}
	struct entry *entry = put(shard, own, old, value, clock);
	set_times(entry, clock->now_s,
		clock->now_s + (ttl_s < ENTRY_TTL_MAX_S ? ttl_s : ENTRY_TTL_MAX_S));
}

bool shard_restore(struct shard *shard, const struct shard_key *own,
	const struct cache_record *record, const struct entry_clock *clock)
{
	if (is_too_large(shard, own, record->value) || look_up(shard, own))
		return false;
	struct entry *entry = put(shard, own, NULL, record->value, clock);
	uint32_t stored_s = clock->now_s - record->age_s;
	entry->frequency =
		record->weight < ENTRY_FREQUENCY_MAX ? record->weight : ENTRY_FREQUENCY_MAX;
	set_times(entry, stored_s, stored_s + record->lifetime_s);
	return true;
}

/* --- finding --- */

static bool is_answer(enum cache_state state)
{
	return state == CACHE_FRESH || state == CACHE_STALE;
}

/* The one of the two that counts, and its state; NULL when there is none. */
static struct entry *choose(struct shard *shard, const struct shard_key *own,
	const struct shard_key *any, const struct entry_clock *clock, enum cache_state *state)
{
	struct entry *entry = look_up(shard, own);
	*state = entry ? entry_state(entry, clock) : CACHE_MISS;
	if (*state == CACHE_FRESH || !any)
		return *state == CACHE_MISS ? NULL : entry;
	struct entry *other = look_up(shard, any);
	enum cache_state others = other ? entry_state(other, clock) : CACHE_MISS;
	if (is_answer(others)) {
		*state = others;
		return other;
	}
	return *state == CACHE_MISS ? NULL : entry;
}

void shard_find(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	const struct entry_clock *clock, void *buffer, struct cache_hit *hit)
{
	enum cache_state state;
	struct entry *entry = choose(shard, own, any, clock, &state);
	*hit = (struct cache_hit){ .state = state };
	if (!entry)
		return;
	count_use(entry);
	if (entry->hits < ENTRY_POPULAR)
		entry->hits++;
	struct slice value = entry_value(entry);
	memcpy(buffer, value.at, value.len);
	hit->value = slice_of(buffer, value.len);
	hit->age_s = entry_age_s(entry, clock->now_s);
	hit->refresh = state == CACHE_FRESH && entry_take_refresh(entry, clock);
	hit->retry_later = state == CACHE_STALE && entry_is_backing_off(entry, clock->now_s);
}

void shard_fail(struct shard *shard, const struct shard_key *own, const struct shard_key *any,
	struct slice value, uint32_t most_s, const struct entry_clock *clock)
{
	enum cache_state state;
	struct entry *entry = choose(shard, own, any, clock, &state);
	if (entry) {
		entry_fail(entry, most_s, clock->now_s);
		return;
	}
	if (is_too_large(shard, own, value))
		return;
	struct entry *old = look_up(shard, own);
	uint8_t failures = old ? old->failures : 0;
	uint32_t retry_s = old ? old->retry_s : clock->now_s;
	entry = put(shard, own, old, value, clock);
	entry->kind = ENTRY_FAILURE;
	set_times(entry, clock->now_s, clock->now_s);
	entry->failures = failures;
	entry->retry_s = retry_s;
	entry_fail(entry, most_s, clock->now_s);
	entry->expires_s = entry->retry_s;
}

/* --- walking --- */

static struct ring *walked_ring(struct shard *shard, const struct cache_walk *walk)
{
	return walk->part == SHARD_WALK_SMALL ? &shard->small : &shard->main;
}

/* Dead entries at the tail: flushing everything frees everything. */
static void trim(struct ring *ring)
{
	while (!ring_is_empty(ring) && ring_tail(ring)->kind == ENTRY_DEAD)
		ring_take_tail(ring);
}

/* The small log first: what leaves it meanwhile is met in the main one. The main log is followed to
 * its head as it then is, for those that go round once more. */
static void walk_catch_up(struct ring *ring, struct cache_walk *walk)
{
	if (!walk->begun) {
		walk->begun = true;
		walk->at = ring->tail;
		walk->limit = ring->head + WALK_RINGS * ring->size;
	}
	if (walk->at < ring->tail)
		walk->at = ring->tail;
}

static bool walk_is_through(const struct ring *ring, const struct cache_walk *walk)
{
	return walk->at >= ring->head || walk->at >= walk->limit;
}

bool shard_walk(
	struct shard *shard, struct cache_walk *walk, shard_visit_fn on_entry, void *context)
{
	if (walk->part == SHARD_WALK_OVER)
		return false;
	struct ring *ring = walked_ring(shard, walk);
	walk_catch_up(ring, walk);
	for (unsigned i = 0; i < WALK_PORTION && !walk_is_through(ring, walk); i++) {
		struct entry *entry = ring_entry(ring, walk->at);
		enum shard_visit visit =
			entry->kind == ENTRY_DEAD ? SHARD_VISIT_NEXT : on_entry(context, entry);
		if (visit == SHARD_VISIT_STOP)
			return true;
		walk->at += entry->size;
		if (visit == SHARD_VISIT_FORGET)
			forget(shard, entry);
	}
	trim(ring);
	if (walk_is_through(ring, walk)) {
		walk->part++;
		walk->begun = false;
	}
	return walk->part != SHARD_WALK_OVER;
}
