/* The text of /metrics (Prometheus exposition format 0.0.4), family by family, from tables. */
#include "proxy/watch/metrics_cells.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "proxy/watch/escape.h"

/* --- lines --- */

enum { LINE_MAX_LEN = 4096, FILE_LABEL_MAX = 1024 };

struct text {
	struct bytes *to;
	int error; /* sticky */
};

static void put(struct text *text, const struct writer *line)
{
	if (!text->error)
		text->error =
			line->failed ? ERR_TOO_LONG : bytes_append(text->to, line->at, line->len);
}

/* name_suffix{labels,more} value; `labels` and `more` may be empty. */
static void put_sample(struct text *text, const char *name, const char *suffix, const char *labels,
	const char *more, const char *value)
{
	char buffer[LINE_MAX_LEN];
	struct writer line = writer_of(buffer, sizeof buffer);
	writer_text(&line, name);
	writer_text(&line, suffix);
	if (*labels || *more) {
		writer_text(&line, "{");
		writer_text(&line, labels);
		if (*labels && *more)
			writer_text(&line, ",");
		writer_text(&line, more);
		writer_text(&line, "}");
	}
	writer_text(&line, " ");
	writer_text(&line, value);
	writer_text(&line, "\n");
	put(text, &line);
}

static void put_number(
	struct text *text, const char *name, const char *labels, const char *more, int64_t value)
{
	char digits[32];
	snprintf(digits, sizeof digits, "%lld", (long long)value);
	put_sample(text, name, "", labels, more, digits);
}

static void put_real(struct text *text, const char *name, double value)
{
	char digits[64];
	snprintf(digits, sizeof digits, "%.6f", value);
	put_sample(text, name, "", "", "", digits);
}

static void put_header(struct text *text, const struct metrics_family *family)
{
	char buffer[LINE_MAX_LEN];
	struct writer line = writer_of(buffer, sizeof buffer);
	const char *const parts[] = { "# HELP ", family->name, " ", family->help, "\n# TYPE ",
		family->name, " ", family->type, "\n" };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		writer_text(&line, parts[i]);
	put(text, &line);
}

/* --- labels --- */

enum label {
	LABEL_NONE,
	LABEL_VIEW,
	LABEL_RULE,
	LABEL_PROTO,
	LABEL_FAMILY,
	LABEL_TYPE,
	LABEL_RCODE,
	LABEL_SOURCE,
	LABEL_ACTION,
	LABEL_BLOCK_RESPONSE,
	LABEL_OUTCOME,
	LABEL_FROM,
	LABEL_TO,
	LABEL_METHOD,
	LABEL_STATUS,
	LABEL_TLS_VERSION,
	LABEL_TLS_RESULT,
	LABEL_RESUMED,
	LABEL_DROP,
	LABEL_RESULT,
	LABEL_LIMITED,
	LABEL_COOKIE,
	LABEL_FAILURE,
	LABEL_FAILURE_RESULT,
};

static const char *const protos[] = { "udp", "tcp", "dot", "doh" };
static const char *const families[] = { "1", "2" };
static const char *const booleans[] = { "false", "true" };
static const char *const results[] = { "success", "failure" };
static const char *const types[] = {
#define METRIC_TYPE(name) #name,
#include "proxy/watch/metrics.def"
#undef METRIC_TYPE
	"other",
};
static const char *const rcodes[] = {
#define DNS_RCODE(name, number) #name,
#include "dns/types.def"
#undef DNS_RCODE
	"other",
};
static const char *const outcomes[] = {
#define METRIC_OUTCOME(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_OUTCOME
};
static const char *const sources[] = {
#define METRIC_SOURCE(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_SOURCE
};
static const char *const methods[] = {
#define METRIC_METHOD(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_METHOD
};
static const char *const statuses[] = {
#define METRIC_STATUS(number) #number,
#include "proxy/watch/metrics.def"
#undef METRIC_STATUS
	"other",
};
static const char *const drops[] = {
#define METRIC_DROP(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_DROP
};
static const char *const upstream_reasons[] = {
#define METRIC_UPSTREAM_REASON(id, word) "reason=\"" word "\"",
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_REASON
};
static const char *const upstream_resumed[] = { "resumed=\"false\"", "resumed=\"true\"" };
static const char *const upstream_connections[] = {
#define METRIC_UPSTREAM_CONNECTION(word) "reason=\"" word "\"",
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_CONNECTION
};
static const char *const upstream_errors[] = {
#define METRIC_UPSTREAM_ERROR(id, word) "reason=\"" word "\"",
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_ERROR
};

static const char *const limited[] = {
#define METRIC_LIMITED(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_LIMITED
};
static const char *const cookies[] = {
#define METRIC_COOKIE(word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_COOKIE
};
_Static_assert(sizeof cookies / sizeof *cookies == METRICS_SIZE_COOKIE, "each has a word");
static const char *const failures[] = {
#define METRIC_FAILURE(word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_FAILURE
};
_Static_assert(sizeof failures / sizeof *failures == FAILURE_COUNT, "each has a word");
static const char *const failure_results[] = {
#define METRIC_FAILURE_RESULT(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_FAILURE_RESULT
};

static const char *action_text(size_t index)
{
	return action_name((enum action)index);
}

static const char *block_response_text(size_t index)
{
	return index ? block_response_name((enum block_response)(index - 1)) : "";
}

/* A label: its name, its number of values, and where the values are. Interned labels have whole
 * texts in the registry and neither. */
static const struct {
	const char *name;
	size_t size;
	const char *const *values;
	const char *(*text)(size_t index);
} labels[] = {
	[LABEL_NONE] = { "", METRICS_SIZE_NONE, NULL, NULL },
	[LABEL_VIEW] = { "view", METRICS_SIZE_VIEW, NULL, NULL },
	[LABEL_RULE] = { "rule_group,rule,action", METRICS_SIZE_RULE, NULL, NULL },
	[LABEL_PROTO] = { "proto", METRICS_SIZE_PROTO, protos, NULL },
	[LABEL_FAMILY] = { "family", METRICS_SIZE_FAMILY, families, NULL },
	[LABEL_TYPE] = { "type", METRICS_SIZE_TYPE, types, NULL },
	[LABEL_RCODE] = { "rcode", METRICS_SIZE_RCODE, rcodes, NULL },
	[LABEL_SOURCE] = { "source", METRICS_SIZE_SOURCE, sources, NULL },
	[LABEL_ACTION] = { "action", METRICS_SIZE_ACTION, NULL, action_text },
	[LABEL_BLOCK_RESPONSE] = { "block_response", METRICS_SIZE_BLOCK_RESPONSE, NULL,
		block_response_text },
	[LABEL_OUTCOME] = { "action", METRICS_SIZE_OUTCOME, outcomes, NULL },
	[LABEL_FROM] = { "from", METRICS_SIZE_FROM, outcomes, NULL },
	[LABEL_TO] = { "to", METRICS_SIZE_TO, outcomes, NULL },
	[LABEL_METHOD] = { "method", METRICS_SIZE_METHOD, methods, NULL },
	[LABEL_STATUS] = { "status", METRICS_SIZE_STATUS, statuses, NULL },
	[LABEL_TLS_VERSION] = { "version", METRICS_SIZE_TLS_VERSION, metrics_tls_versions, NULL },
	[LABEL_TLS_RESULT] = { "result", METRICS_SIZE_TLS_RESULT, metrics_tls_results, NULL },
	[LABEL_RESUMED] = { "resumed", METRICS_SIZE_RESUMED, booleans, NULL },
	[LABEL_DROP] = { "reason", METRICS_SIZE_DROP, drops, NULL },
	[LABEL_RESULT] = { "result", METRICS_SIZE_RESULT, results, NULL },
	[LABEL_LIMITED] = { "result", METRICS_SIZE_LIMITED, limited, NULL },
	[LABEL_COOKIE] = { "cookie", METRICS_SIZE_COOKIE, cookies, NULL },
	[LABEL_FAILURE] = { "failure", METRICS_SIZE_FAILURE, failures, NULL },
	[LABEL_FAILURE_RESULT] = { "result", METRICS_SIZE_FAILURE_RESULT, failure_results, NULL },
};

static struct intern *interned(struct metrics_registry *registry, enum label label)
{
	if (label == LABEL_VIEW)
		return &registry->views;
	return label == LABEL_RULE ? &registry->rules : NULL;
}

static void write_label(
	struct writer *to, struct metrics_registry *registry, enum label label, size_t index)
{
	struct intern *names = interned(registry, label);
	if (label == LABEL_NONE)
		return;
	if (to->len)
		writer_text(to, ",");
	if (names) {
		writer_text(to, intern_text(names, (uint32_t)index));
		return;
	}
	writer_text(to, labels[label].name);
	writer_text(to, "=\"");
	writer_text(
		to, labels[label].text ? labels[label].text(index) : labels[label].values[index]);
	writer_text(to, "\"");
}

/* --- what the workers counted --- */

enum { LABELS_MAX = 4, ALWAYS_SHOWN_MAX = 64 };

enum kind { KIND_COUNTER, KIND_LEVEL, KIND_HISTOGRAM };

struct counted {
	enum kind kind;
	enum metrics_unit unit;
	enum label labels[LABELS_MAX];
	size_t cell;
};

static const struct counted counted[] = {
#define METRIC_COUNTER(id, name, a, b, c, d, help)                                                 \
	{ KIND_COUNTER, 0, { LABEL_##a, LABEL_##b, LABEL_##c, LABEL_##d }, METRICS_CELL_##id },
#define METRIC_LEVEL(id, name, a, b, c, d, help)                                                   \
	{ KIND_LEVEL, 0, { LABEL_##a, LABEL_##b, LABEL_##c, LABEL_##d }, METRICS_CELL_##id },
#define METRIC_HISTOGRAM(id, name, unit, a, b, help)                                               \
	{ KIND_HISTOGRAM, METRICS_UNIT_##unit, { LABEL_##a, LABEL_##b, LABEL_NONE, LABEL_NONE },   \
		METRICS_CELL_##id },
#include "proxy/watch/metrics.def"
#undef METRIC_COUNTER
#undef METRIC_LEVEL
#undef METRIC_HISTOGRAM
};

/* --- families: in the order of metrics.def --- */

enum family {
	FAMILY_LAST_COUNTED = sizeof counted / sizeof counted[0] - 1,
#define METRIC_TOLD(id, name, type, labels, help) FAMILY_##id,
#define METRIC_PROCESS(id, name, type, help)      FAMILY_PROCESS_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_TOLD
#undef METRIC_PROCESS
	FAMILY_COUNT
};

static const struct metrics_family all_families[FAMILY_COUNT] = {
#define METRIC_COUNTER(id, name, a, b, c, d, help)   { "namegate_" #name, "counter", NULL, help },
#define METRIC_LEVEL(id, name, a, b, c, d, help)     { "namegate_" #name, "gauge", NULL, help },
#define METRIC_HISTOGRAM(id, name, unit, a, b, help) { "namegate_" #name, "histogram", NULL, help },
#define METRIC_TOLD(id, name, type, labels, help)    { "namegate_" #name, #type, labels, help },
#define METRIC_PROCESS(id, name, type, help)         { #name, #type, "", help },
#include "proxy/watch/metrics.def"
#undef METRIC_COUNTER
#undef METRIC_LEVEL
#undef METRIC_HISTOGRAM
#undef METRIC_TOLD
#undef METRIC_PROCESS
};

const struct metrics_family *metrics_families(size_t *count)
{
	*count = FAMILY_COUNT;
	return all_families;
}

void metrics_family_write_labels(struct writer *to, const struct metrics_family *family)
{
	size_t index = (size_t)(family - all_families);
	if (family->labels) {
		writer_text(to, family->labels);
		return;
	}
	for (size_t i = 0; i < LABELS_MAX && counted[index].labels[i]; i++) {
		writer_text(to, i ? "," : "");
		writer_text(to, labels[counted[index].labels[i]].name);
	}
}

/* --- telling what was counted --- */

static uint64_t sum(const struct metrics_registry *registry, size_t cell)
{
	uint64_t total = 0;
	for (const struct metrics *set = registry->sets; set; set = set->next)
		total += atomic_load_explicit(&set->cells[cell], memory_order_relaxed);
	return total;
}

/* How many combinations of labels can have moved: of the outermost label only the numbers that were
 * given out. */
static size_t combinations(struct metrics_registry *registry, const struct counted *family)
{
	struct intern *names = interned(registry, family->labels[0]);
	size_t count = names ? intern_count(names) : labels[family->labels[0]].size;
	for (size_t i = 1; i < LABELS_MAX; i++)
		count *= labels[family->labels[i]].size;
	return count;
}

/* The labels of one combination, the last one varying fastest. */
static void write_labels(struct writer *to, struct metrics_registry *registry,
	const struct counted *family, size_t combination)
{
	size_t indices[LABELS_MAX];
	for (size_t i = LABELS_MAX; i-- > 0;) {
		size_t size = labels[family->labels[i]].size;
		indices[i] = i ? combination % size : combination;
		combination /= size;
	}
	for (size_t i = 0; i < LABELS_MAX; i++)
		write_label(to, registry, family->labels[i], indices[i]);
	writer_u8(to, '\0');
}

static void put_seconds(
	struct text *text, const char *name, const char *suffix, const char *label, uint64_t us)
{
	char digits[48];
	snprintf(digits, sizeof digits, "%llu.%06llu", (unsigned long long)(us / 1000000),
		(unsigned long long)(us % 1000000));
	put_sample(text, name, suffix, label, "", digits);
}

/* "0.00025", "100", "+Inf": without zeros at the end. */
static void bound_text(char out[48], enum metrics_unit unit, unsigned bucket)
{
	uint64_t bound = bucket < METRICS_BUCKETS ? metrics_bounds[unit][bucket] : UINT64_MAX;
	if (bound == UINT64_MAX)
		snprintf(out, 48, "le=\"+Inf\"");
	else if (unit == METRICS_UNIT_BYTES)
		snprintf(out, 48, "le=\"%llu\"", (unsigned long long)bound);
	else
		snprintf(out, 48, "le=\"%g\"", (double)bound / 1e6);
}

static void put_histogram(struct text *text, const char *name, const char *label,
	enum metrics_unit unit, const uint64_t buckets[METRICS_BUCKETS + 1], uint64_t total)
{
	char number[48], bound[48];
	uint64_t below = 0;
	for (unsigned i = 0; i <= METRICS_BUCKETS; i++) {
		below += buckets[i];
		if (i < METRICS_BUCKETS && metrics_bounds[unit][i] == UINT64_MAX)
			continue;
		bound_text(bound, unit, i);
		snprintf(number, sizeof number, "%llu", (unsigned long long)below);
		put_sample(text, name, "_bucket", label, bound, number);
	}
	snprintf(number, sizeof number, "%llu", (unsigned long long)total);
	if (unit == METRICS_UNIT_SECONDS)
		put_seconds(text, name, "_sum", label, total);
	else
		put_sample(text, name, "_sum", label, "", number);
	snprintf(number, sizeof number, "%llu", (unsigned long long)below);
	put_sample(text, name, "_count", label, "", number);
}

static void put_counted_histogram(struct text *text, struct metrics_registry *registry,
	const struct counted *family, const char *name, const char *label, size_t cell)
{
	uint64_t buckets[METRICS_BUCKETS + 1], any = 0;
	for (unsigned i = 0; i <= METRICS_BUCKETS; i++) {
		buckets[i] = sum(registry, cell + i);
		any |= buckets[i];
	}
	if (any)
		put_histogram(text, name, label, family->unit, buckets,
			sum(registry, cell + METRICS_HISTOGRAM_SUM));
}

/* Small families are shown in full, so that a rate can be told from the first event on; of the
 * large products only what has moved. */
static void put_counted(struct text *text, struct metrics_registry *registry, size_t index)
{
	const struct counted *family = &counted[index];
	size_t count = combinations(registry, family);
	bool shows_all = count <= ALWAYS_SHOWN_MAX && !interned(registry, family->labels[0]);
	put_header(text, &all_families[index]);
	for (size_t i = 0; i < count; i++) {
		char label[LINE_MAX_LEN / 2];
		struct writer to = writer_of(label, sizeof label);
		const char *name = all_families[index].name;
		bool is_histogram = family->kind == KIND_HISTOGRAM;
		size_t cell = family->cell + i * (is_histogram ? METRICS_HISTOGRAM_CELLS : 1);
		uint64_t value = is_histogram ? 0 : sum(registry, cell);
		if (!is_histogram && !value && !shows_all)
			continue;
		write_labels(&to, registry, family, i);
		if (is_histogram)
			put_counted_histogram(text, registry, family, name, label, cell);
		else
			put_number(text, name, label, "", (int64_t)value);
	}
}

/* --- telling what others told --- */

/* Lists and upstreams by number, those with the same one taken together: names past the tables' end
 * share "other", and several workers speak of one upstream. */
struct merged {
	struct metrics_list *lists;
	uint16_t *list_ids;
	size_t list_count;
	struct metrics_upstream upstreams[METRICS_UPSTREAMS + 1];
	uint16_t upstream_ids[METRICS_UPSTREAMS + 1];
	size_t upstream_count;
};

static size_t find_id(const uint16_t *ids, size_t count, uint16_t id)
{
	size_t i = 0;
	while (i < count && ids[i] != id)
		i++;
	return i;
}

/* The one that somebody should look at speaks for all of "other". */
static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void merge_list(struct metrics_list *to, const struct metrics_list *from)
{
	to->entries += from->entries;
	to->covered += from->covered;
	to->source_bytes += from->source_bytes;
	for (size_t i = 0; i < LIST_REJECT_COUNT; i++)
		to->rejected[i] += from->rejected[i];
	for (size_t i = 0; i < LIST_FAULT_COUNT; i++)
		to->failures[i] += from->failures[i];
	to->last_attempt_s = earlier(to->last_attempt_s, from->last_attempt_s);
	to->last_success_s = earlier(to->last_success_s, from->last_success_s);
	to->last_change_s = earlier(to->last_change_s, from->last_change_s);
	to->is_up = to->is_up && from->is_up;
	memset(to->hash, 0, sizeof to->hash);
}

static void merge_upstream(struct metrics_upstream *to, const struct metrics_upstream *from)
{
	to->requests += from->requests;
	for (size_t i = 0; i < METRICS_UPSTREAM_ERROR_COUNT; i++)
		to->errors[i] += from->errors[i];
	to->retries += from->retries;
	for (size_t i = 0; i < METRICS_UPSTREAM_REASON_COUNT; i++)
		to->asked[i] += from->asked[i];
	to->outages += from->outages;
	to->connections += from->connections;
	for (size_t i = 0; i < 2; i++)
		to->opened[i] += from->opened[i];
	for (size_t i = 0; i < METRICS_UPSTREAM_CONNECTIONS; i++)
		to->not_opened[i] += from->not_opened[i];
	to->replays += from->replays;
	to->idle_closes += from->idle_closes;
	to->inflight += from->inflight;
	for (size_t i = 0; i <= METRICS_BUCKETS; i++)
		to->durations[i] += from->durations[i];
	to->duration_sum_us += from->duration_sum_us;
	to->is_up = to->is_up || from->is_up;
}

static void merge_lists(
	struct merged *all, struct metrics_registry *registry, const struct metrics_told *told)
{
	for (size_t i = 0; i < told->list_count; i++) {
		uint16_t id = metrics_list_id(registry, told->lists[i].name);
		size_t at = find_id(all->list_ids, all->list_count, id);
		if (at < all->list_count) {
			merge_list(&all->lists[at], &told->lists[i]);
			continue;
		}
		all->lists[at] = told->lists[i];
		all->list_ids[at] = id;
		all->list_count++;
	}
}

static void merge_upstreams(
	struct merged *all, struct metrics_registry *registry, const struct metrics_told *told)
{
	for (size_t i = 0; i < told->upstream_count; i++) {
		uint16_t id = metrics_upstream_id(registry, told->upstreams[i].name);
		size_t at = find_id(all->upstream_ids, all->upstream_count, id);
		if (at < all->upstream_count) {
			merge_upstream(&all->upstreams[at], &told->upstreams[i]);
			continue;
		}
		all->upstreams[at] = told->upstreams[i];
		all->upstream_ids[at] = id;
		all->upstream_count++;
	}
}

static struct merged *merge(struct metrics_registry *registry, const struct metrics_told *told)
{
	struct merged *all = calloc(1, sizeof *all);
	if (!all)
		return NULL;
	all->lists = calloc(told->list_count + 1, sizeof all->lists[0]);
	all->list_ids = calloc(told->list_count + 1, sizeof all->list_ids[0]);
	if (!all->lists || !all->list_ids) {
		free(all->lists);
		free(all->list_ids);
		free(all);
		return NULL;
	}
	merge_lists(all, registry, told);
	merge_upstreams(all, registry, told);
	return all;
}

static void merged_free(struct merged *all)
{
	free(all->lists);
	free(all->list_ids);
	free(all);
}

static const char *begin(struct text *text, enum family family)
{
	put_header(text, &all_families[family]);
	return all_families[family].name;
}

/* One value of each list or upstream: EACH(LIST_UP, list, is_up). */
#define EACH(text, registry, all, family, kind, field)                                             \
	do {                                                                                       \
		const char *name_ = begin((text), FAMILY_##family);                                \
		for (size_t i_ = 0; i_ < (all)->kind##_count; i_++)                                \
			put_number((text), name_,                                                  \
				intern_text(&(registry)->kind##s, (all)->kind##_ids[i_]), "",      \
				(int64_t)(all)->kind##s[i_].field);                                \
	} while (0)

/* reason="shrunk" */
static void put_reason(
	struct text *text, const char *name, const char *label, const char *reason, uint64_t value)
{
	char more[64];
	snprintf(more, sizeof more, "reason=\"%s\"", reason);
	if (value)
		put_number(text, name, label, more, (int64_t)value);
}

static const char *list_label(
	struct metrics_registry *registry, const struct merged *all, size_t list)
{
	return intern_text(&registry->lists, all->list_ids[list]);
}

/* Thousands of lists by dozens of reasons: only what there is. */
static void put_rejects(
	struct text *text, struct metrics_registry *registry, const struct merged *all)
{
	const char *name = begin(text, FAMILY_LIST_REJECTED);
	for (size_t i = 0; i < all->list_count; i++)
		for (unsigned k = LIST_REJECT_NONE + 1; k < LIST_REJECT_COUNT; k++)
			put_reason(text, name, list_label(registry, all, i),
				list_reject_name((enum list_reject)k), all->lists[i].rejected[k]);
}

static void put_failures(
	struct text *text, struct metrics_registry *registry, const struct merged *all)
{
	const char *name = begin(text, FAMILY_LIST_FAILURES);
	for (size_t i = 0; i < all->list_count; i++)
		for (unsigned k = LIST_FAULT_NONE + 1; k < LIST_FAULT_COUNT; k++)
			put_reason(text, name, list_label(registry, all, i),
				list_fault_name((enum list_fault)k), all->lists[i].failures[k]);
}

static void put_list_hashes(
	struct text *text, struct metrics_registry *registry, const struct merged *all)
{
	static const uint8_t none[IMAGE_HASH_LEN];
	const char *name = begin(text, FAMILY_LIST_INFO);
	for (size_t i = 0; i < all->list_count; i++) {
		const uint8_t *hash = all->lists[i].hash;
		char more[2 * IMAGE_HASH_LEN + 16];
		int len = snprintf(more, sizeof more, "hash=\"");
		for (unsigned k = 0; k < IMAGE_HASH_LEN; k++)
			len += snprintf(more + len, sizeof more - (size_t)len, "%02x", hash[k]);
		snprintf(more + len, sizeof more - (size_t)len, "\"");
		if (memcmp(hash, none, sizeof none) != 0)
			put_number(text, name, list_label(registry, all, i), more, 1);
	}
}

static void put_lists(struct text *text, struct metrics_registry *registry,
	const struct merged *all, uint64_t lists_bytes)
{
	EACH(text, registry, all, LIST_ENTRIES, list, entries);
	EACH(text, registry, all, LIST_COVERED, list, covered);
	put_rejects(text, registry, all);
	EACH(text, registry, all, LIST_SOURCE_BYTES, list, source_bytes);
	EACH(text, registry, all, LIST_ATTEMPT, list, last_attempt_s);
	EACH(text, registry, all, LIST_SUCCESS, list, last_success_s);
	EACH(text, registry, all, LIST_CHANGE, list, last_change_s);
	put_failures(text, registry, all);
	EACH(text, registry, all, LIST_UP, list, is_up);
	put_list_hashes(text, registry, all);
	put_number(text, begin(text, FAMILY_LISTS_BYTES), "", "", (int64_t)lists_bytes);
}

/* One family with a sample per upstream and word. */
#define EACH_UPSTREAM_WORD(id, words, field)                                                       \
	do {                                                                                       \
		const char *family = begin(text, FAMILY_##id);                                     \
		for (size_t i = 0; i < all->upstream_count; i++)                                   \
			for (size_t k = 0; k < sizeof(words) / sizeof *(words); k++)               \
				put_number(text, family,                                           \
					intern_text(&registry->upstreams, all->upstream_ids[i]),   \
					(words)[k], (int64_t)all->upstreams[i].field[k]);          \
	} while (0)

static void put_upstreams(
	struct text *text, struct metrics_registry *registry, const struct merged *all)
{
	EACH(text, registry, all, UPSTREAM_REQUESTS, upstream, requests);
	const char *name = begin(text, FAMILY_UPSTREAM_DURATION);
	for (size_t i = 0; i < all->upstream_count; i++)
		put_histogram(text, name, intern_text(&registry->upstreams, all->upstream_ids[i]),
			METRICS_UNIT_SECONDS, all->upstreams[i].durations,
			all->upstreams[i].duration_sum_us);
	EACH_UPSTREAM_WORD(UPSTREAM_ERRORS, upstream_errors, errors);
	EACH(text, registry, all, UPSTREAM_RETRIES, upstream, retries);
	EACH_UPSTREAM_WORD(UPSTREAM_ASKED, upstream_reasons, asked);
	EACH(text, registry, all, UPSTREAM_OUTAGES, upstream, outages);
	EACH(text, registry, all, UPSTREAM_CONNECTIONS, upstream, connections);
	EACH_UPSTREAM_WORD(UPSTREAM_OPENED, upstream_resumed, opened);
	EACH_UPSTREAM_WORD(UPSTREAM_NOT_OPENED, upstream_connections, not_opened);
	EACH(text, registry, all, UPSTREAM_REPLAYS, upstream, replays);
	EACH(text, registry, all, UPSTREAM_IDLE_CLOSES, upstream, idle_closes);
	EACH(text, registry, all, UPSTREAM_INFLIGHT, upstream, inflight);
	EACH(text, registry, all, UPSTREAM_UP, upstream, is_up);
}

static void put_cache(struct text *text, const struct metrics_told *told)
{
	if (!told->has_cache)
		return;
	put_number(text, begin(text, FAMILY_CACHE_ENTRIES), "", "", (int64_t)told->cache_entries);
	put_number(text, begin(text, FAMILY_CACHE_USED), "", "", (int64_t)told->cache_used);
	put_number(text, begin(text, FAMILY_CACHE_SIZE), "", "", (int64_t)told->cache_size);
	put_number(
		text, begin(text, FAMILY_CACHE_EVICTIONS), "", "", (int64_t)told->cache_evictions);
}

static void put_log(struct text *text, const struct metrics_told *told)
{
	const char *sink = "sink=\"query_log\"";
	if (!told->has_query_log)
		return;
	const char *name = begin(text, FAMILY_LOG_LINES);
	put_number(text, name, sink, "", (int64_t)told->log_lines);
	name = begin(text, FAMILY_LOG_DROPPED);
	put_number(text, name, sink, "reason=\"full\"", (int64_t)told->log_dropped_full);
	put_number(text, name, sink, "reason=\"failed\"", (int64_t)told->log_dropped_failed);
}

static void put_shadow(struct text *text, const struct metrics_told *told)
{
	char label[64];
	if (!told->shadow_hash)
		return;
	snprintf(label, sizeof label, "policy_hash=\"%s\"", told->shadow_hash);
	put_number(text, begin(text, FAMILY_SHADOW_INFO), label, "", 1);
}

static void put_exceptions(struct text *text, const struct metrics_told *told)
{
	char label[EXCEPTION_HASH_MAX + 16];
	struct writer to = writer_of(label, sizeof label - 1);
	if (!told->has_exceptions)
		return;
	writer_text(&to, "hash=\"");
	writer_text(&to, told->exceptions_hash);
	writer_text(&to, "\"");
	label[to.len] = '\0';
	put_number(
		text, begin(text, FAMILY_EXCEPTIONS_IN_FORCE), "", "", (int64_t)told->exceptions);
	put_number(text, begin(text, FAMILY_EXCEPTIONS_INFO), label, "", 1);
}

static const char *file_label(const char *file, char label[FILE_LABEL_MAX])
{
	struct writer to = writer_of(label, FILE_LABEL_MAX - 1);
	writer_text(&to, "file=\"");
	escape_label(&to, slice_of_text(file), FILE_LABEL_MAX / 2);
	writer_text(&to, "\"");
	label[to.len] = '\0';
	return label;
}

static void put_certificates(struct text *text, const struct metrics_told *told)
{
	char label[FILE_LABEL_MAX];
	if (told->certificate_count == 0)
		return;
	const char *name = begin(text, FAMILY_CERTIFICATE_NOT_AFTER);
	for (size_t i = 0; i < told->certificate_count; i++)
		put_number(text, name, file_label(told->certificates[i].file, label), "",
			told->certificates[i].not_after_s);
	name = begin(text, FAMILY_OCSP_END);
	for (size_t i = 0; i < told->certificate_count; i++)
		if (told->certificates[i].has_ocsp)
			put_number(text, name, file_label(told->certificates[i].file, label), "",
				told->certificates[i].ocsp_end_s);
	put_number(text, begin(text, FAMILY_CERTIFICATE_PROBLEMS), "", "",
		(int64_t)told->certificate_problems);
}

static void put_configuration(struct text *text, const struct metrics_told *told)
{
	char label[256];
	struct writer to = writer_of(label, sizeof label - 1);
	put_number(text, begin(text, FAMILY_RELOAD_SUCCESSFUL), "", "", told->reload_successful);
	put_number(text, begin(text, FAMILY_RELOAD_SUCCESS_TIME), "", "", told->reload_success_s);
	if (told->has_policy) {
		writer_text(&to, "revision=\"");
		writer_decimal(&to, told->revision);
		writer_text(&to, "\",hash=\"");
		escape_label(&to, slice_of_text(told->policy_hash ? told->policy_hash : ""), 128);
		writer_text(&to, "\"");
		label[to.len] = '\0';
		put_number(text, begin(text, FAMILY_POLICY_INFO), label, "", 1);
		put_number(text, begin(text, FAMILY_POLICY_PINNED), "", "", told->pinned);
		put_number(text, begin(text, FAMILY_POLICY_REVISION), "", "", told->revision);
	}
	if (told->has_state)
		put_number(text, begin(text, FAMILY_STATE_WRITABLE), "", "", told->state_writable);
	put_shadow(text, told);
	put_certificates(text, told);
}

static void put_loop_ages(
	struct text *text, const struct metrics_registry *registry, uint64_t now_ms)
{
	const char *name = begin(text, FAMILY_LOOP_AGE);
	for (const struct metrics *set = registry->sets; set; set = set->next) {
		char label[48], age[48];
		uint64_t turn = atomic_load_explicit(&set->last_turn_ms, memory_order_relaxed);
		uint64_t age_ms = turn < now_ms ? now_ms - turn : 0;
		if (!turn)
			continue;
		snprintf(label, sizeof label, "worker=\"%u\"", set->number);
		snprintf(age, sizeof age, "%llu.%03llu", (unsigned long long)(age_ms / 1000),
			(unsigned long long)(age_ms % 1000));
		put_sample(text, name, "", label, "", age);
	}
}

static void put_tables(struct text *text, const struct metrics_told *told)
{
	static const char *const table_labels[METRICS_TABLE_COUNT] = {
#define METRIC_TABLE(id, word) [METRICS_TABLE_##id] = "table=\"" word "\"",
#include "proxy/watch/metrics.def"
#undef METRIC_TABLE
	};
	if (!told->has_tables)
		return;
	const char *name = begin(text, FAMILY_TABLE_USED);
	for (unsigned i = 0; i < METRICS_TABLE_COUNT; i++)
		put_number(text, name, table_labels[i], "", (int64_t)told->tables[i].used);
	name = begin(text, FAMILY_TABLE_SIZE);
	for (unsigned i = 0; i < METRICS_TABLE_COUNT; i++)
		put_number(text, name, table_labels[i], "", (int64_t)told->tables[i].size);
	put_number(text, begin(text, FAMILY_DESCRIPTORS_NEEDED), "", "",
		(int64_t)told->descriptors_needed);
}

/* What is told by its labels alone. */
static void put_info(struct text *text, enum family family,
	const struct metrics_build_label *values, size_t count)
{
	char label[LINE_MAX_LEN / 2];
	struct writer to = writer_of(label, sizeof label - 1);
	for (size_t i = 0; i < count; i++) {
		writer_text(&to, i ? "," : "");
		writer_text(&to, values[i].name);
		writer_text(&to, "=\"");
		escape_label(&to, slice_of_text(values[i].value), 128);
		writer_text(&to, "\"");
	}
	label[to.len] = '\0';
	put_number(text, begin(text, family), label, "", 1);
}

static void put_process(struct text *text, const struct process_stats *process)
{
	put_real(text, begin(text, FAMILY_PROCESS_CPU), process->cpu_s);
	put_number(text, begin(text, FAMILY_PROCESS_RESIDENT), "", "",
		(int64_t)process->resident_bytes);
	put_number(
		text, begin(text, FAMILY_PROCESS_VIRTUAL), "", "", (int64_t)process->virtual_bytes);
	put_number(text, begin(text, FAMILY_PROCESS_OPEN_FDS), "", "", (int64_t)process->open_fds);
	put_number(text, begin(text, FAMILY_PROCESS_MAX_FDS), "", "", (int64_t)process->max_fds);
	put_real(text, begin(text, FAMILY_PROCESS_START_TIME), process->start_time_s);
}

int metrics_write(
	struct metrics_registry *registry, const struct metrics_told *told, struct bytes *to)
{
	struct text text = { .to = to };
	struct merged *all = merge(registry, told);
	if (!all)
		return ERR_NO_MEMORY;
	pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; i <= FAMILY_LAST_COUNTED; i++)
		put_counted(&text, registry, i);
	put_loop_ages(&text, registry, told->now_ms);
	pthread_mutex_unlock(&registry->lock);
	put_lists(&text, registry, all, told->lists_bytes);
	put_upstreams(&text, registry, all);
	put_cache(&text, told);
	put_log(&text, told);
	put_exceptions(&text, told);
	put_configuration(&text, told);
	put_info(&text, FAMILY_BUILD_INFO, told->build, told->build_count);
	if (told->rights)
		put_info(&text, FAMILY_RIGHTS_INFO, told->rights, told->rights_count);
	put_tables(&text, told);
	put_process(&text, &told->process);
	merged_free(all);
	return text.error;
}
