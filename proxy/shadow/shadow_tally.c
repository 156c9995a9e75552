#include "proxy/shadow/shadow_tally.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/random.h"

_Static_assert(sizeof(struct shadow_difference) == 10, "no padding");

/* ---- life ---- */

static void tally_free(struct shadow_tally *tally)
{
	for (unsigned i = 0; tally->tables && i < tally->worker_count; i++)
		free(tally->tables[i]);
	free(tally->tables);
	intern_deinit(&tally->names);
	free(tally);
}

struct shadow_tally *shadow_tally_new(unsigned worker_count, int64_t now_s)
{
	struct shadow_tally *tally = calloc(1, sizeof *tally);
	if (!tally)
		return NULL;
	if (intern_init(&tally->names, SHADOW_NAMES, "other")) {
		free(tally);
		return NULL;
	}
	atomic_init(&tally->references, 1);
	tally->since_s = now_s;
	random_fill(&tally->salt, sizeof tally->salt);
	tally->worker_count = worker_count;
	tally->tables = calloc(worker_count + 1, sizeof(struct shadow_table *));
	bool good = tally->tables != NULL;
	for (unsigned i = 0; good && i < worker_count; i++) {
		tally->tables[i] = calloc(1, sizeof *tally->tables[i]);
		good = tally->tables[i] != NULL;
	}
	if (good)
		return tally;
	tally_free(tally);
	return NULL;
}

struct shadow_tally *shadow_tally_ref(struct shadow_tally *tally)
{
	atomic_fetch_add_explicit(&tally->references, 1, memory_order_relaxed);
	return tally;
}

void shadow_tally_unref(struct shadow_tally *tally)
{
	if (tally && atomic_fetch_sub_explicit(&tally->references, 1, memory_order_acq_rel) == 1)
		tally_free(tally);
}

/* ---- counting ---- */

/* One writer: a load and a store, no locked instruction. */
static void bump(_Atomic uint64_t *counter, uint64_t by)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, value + by, memory_order_relaxed);
}

static bool is_shown(const struct shadow_row *row)
{
	return atomic_load_explicit(&row->is_shown, memory_order_acquire);
}

/* The row of this difference, made when there is none yet; NULL: there is no room. The others stay
 * where they are, and a quarter is always empty, so a search ends. */
static struct shadow_row *find_row(struct shadow_row *rows, size_t row_count, unsigned *used,
	const struct shadow_difference *what)
{
	size_t at = XXH3_64bits(what, sizeof *what) & (row_count - 1);
	for (; is_shown(&rows[at]); at = (at + 1) & (row_count - 1))
		if (memcmp(&rows[at].what, what, sizeof *what) == 0)
			return &rows[at];
	if (*used >= row_count / 4 * 3)
		return NULL;
	++*used;
	rows[at].what = *what;
	atomic_store_explicit(&rows[at].is_shown, true, memory_order_release);
	return &rows[at];
}

static bool is_example(const struct shadow_example *example, struct slice name, uint16_t type)
{
	return example->type == type && slice_equals(slice_of(example->name, example->len), name);
}

static void keep_example(struct shadow_row *row, struct slice name, uint16_t type)
{
	unsigned count = atomic_load_explicit(&row->example_count, memory_order_relaxed);
	if (count == SHADOW_EXAMPLES || name.len > DNS_NAME_MAX)
		return;
	for (unsigned i = 0; i < count; i++)
		if (is_example(&row->examples[i], name, type))
			return;
	struct shadow_example *example = &row->examples[count];
	example->type = type;
	example->len = (uint8_t)name.len;
	memcpy(example->name, name.at, name.len);
	atomic_store_explicit(&row->example_count, count + 1, memory_order_release);
}

void shadow_table_count(struct shadow_table *table, enum shadow_step step)
{
	switch (step) {
	case SHADOW_JUDGED: bump(&table->judged, 1); break;
	case SHADOW_ELSEWHERE: bump(&table->elsewhere, 1); break;
	case SHADOW_UNKNOWN: bump(&table->unknown, 1); break;
	}
}

void shadow_table_add(struct shadow_table *table, const struct shadow_difference *what,
	struct slice name, uint16_t type)
{
	struct shadow_row *row = find_row(table->rows, SHADOW_ROWS, &table->used, what);
	bump(&table->differing, 1);
	if (!row) {
		bump(&table->others, 1);
		return;
	}
	bump(&row->count, 1);
	keep_example(row, name, type);
}

/* ---- telling ---- */

static uint64_t read_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What is there of a row that its worker may be writing to. */
static void add_row(struct shadow_row *to, const struct shadow_row *from)
{
	unsigned count = atomic_load_explicit(&from->example_count, memory_order_acquire);
	bump(&to->count, read_count(&from->count));
	for (unsigned i = 0; i < count; i++)
		keep_example(to, slice_of(from->examples[i].name, from->examples[i].len),
			from->examples[i].type);
}

/* `rows` has room for all rows of all tables. */
static void add_table(struct shadow_sum *sum, struct shadow_row *rows, size_t row_count,
	unsigned *used, const struct shadow_table *table)
{
	sum->judged += read_count(&table->judged);
	sum->differing += read_count(&table->differing);
	sum->unknown += read_count(&table->unknown);
	sum->elsewhere += read_count(&table->elsewhere);
	sum->others += read_count(&table->others);
	for (size_t i = 0; i < SHADOW_ROWS; i++) {
		const struct shadow_row *from = &table->rows[i];
		struct shadow_row *to =
			is_shown(from) ? find_row(rows, row_count, used, &from->what) : NULL;
		if (to)
			add_row(to, from);
	}
}

static int compare_rows(const void *a, const void *b)
{
	const struct shadow_row *one = a;
	const struct shadow_row *other = b;
	uint64_t one_count = read_count(&one->count);
	uint64_t other_count = read_count(&other->count);
	if (one_count != other_count)
		return one_count > other_count ? -1 : 1;
	return memcmp(&one->what, &other->what, sizeof one->what);
}

static size_t room_for(unsigned worker_count)
{
	size_t rows = SHADOW_ROWS;
	while (rows < (size_t)SHADOW_ROWS * worker_count)
		rows *= 2;
	return rows;
}

struct shadow_sum *shadow_tally_sum(struct shadow_tally *tally)
{
	size_t room = room_for(tally->worker_count);
	struct shadow_sum *sum = calloc(1, sizeof *sum + room * sizeof sum->rows[0]);
	unsigned used = 0;
	if (!sum)
		return NULL;
	for (unsigned i = 0; i < tally->worker_count; i++)
		add_table(sum, sum->rows, room, &used, tally->tables[i]);
	for (size_t i = 0; i < room; i++)
		if (is_shown(&sum->rows[i]) && sum->row_count++ < i)
			sum->rows[sum->row_count - 1] = sum->rows[i];
	qsort(sum->rows, sum->row_count, sizeof sum->rows[0], compare_rows);
	return sum;
}
