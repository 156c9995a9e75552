#include "proxy/watch/metrics_cells.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"
#include "dns/types.h"
#include "proxy/watch/escape.h"

const uint64_t metrics_bounds[2][METRICS_BUCKETS] = {
	[METRICS_UNIT_SECONDS] = { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
		250000, 500000, 1000000, 2500000, 5000000 },
	/* CoreDNS's, so that its dashboards fit. */
	[METRICS_UNIT_BYTES] = { 0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000,
		48000, 64000, UINT64_MAX, UINT64_MAX },
};

const char *const metrics_tls_results[METRICS_SIZE_TLS_RESULT] = {
#define METRIC_TLS_RESULT(word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_TLS_RESULT
};

const char *const metrics_tls_versions[METRICS_SIZE_TLS_VERSION] = { "TLSv1.2", "TLSv1.3",
	"other" };

const uint16_t metrics_statuses[METRICS_SIZE_STATUS - 1] = {
#define METRIC_STATUS(number) number,
#include "proxy/watch/metrics.def"
#undef METRIC_STATUS
};

const char *metrics_source_name(enum metrics_source source)
{
	static const char *const names[METRICS_SOURCE_COUNT] = {
#define METRIC_SOURCE(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_SOURCE
	};
	return source < METRICS_SOURCE_COUNT ? names[source] : "error";
}

const char *metrics_outcome_name(enum metrics_outcome outcome)
{
	static const char *const names[METRICS_OUTCOME_COUNT] = {
#define METRIC_OUTCOME(id, word) word,
#include "proxy/watch/metrics.def"
#undef METRIC_OUTCOME
	};
	return outcome < METRICS_OUTCOME_COUNT ? names[outcome] : "FAILED";
}

/* --- labels --- */

struct metrics_registry *metrics_registry_new(void)
{
	struct metrics_registry *registry = calloc(1, sizeof *registry);
	if (!registry)
		return NULL;
	pthread_mutex_init(&registry->lock, NULL);
	int error = intern_init(&registry->views, METRICS_SIZE_VIEW, "view=\"other\"");
	error |= intern_init(&registry->rules, METRICS_SIZE_RULE,
		"rule_group=\"other\",rule=\"other\",action=\"other\"");
	error |= intern_init(&registry->lists, METRICS_LISTS + 1, "list=\"other\"");
	error |= intern_init(&registry->upstreams, METRICS_UPSTREAMS + 1, "upstream=\"other\"");
	if (!error && metrics_view_id(registry, "") == METRICS_NO_VIEW)
		return registry;
	metrics_registry_free(registry);
	return NULL;
}

void metrics_registry_free(struct metrics_registry *registry)
{
	if (!registry)
		return;
	while (registry->sets) {
		struct metrics *set = registry->sets;
		registry->sets = set->next;
		munmap(set, sizeof *set);
	}
	intern_deinit(&registry->views);
	intern_deinit(&registry->rules);
	intern_deinit(&registry->lists);
	intern_deinit(&registry->upstreams);
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

/* key="name"; fails the writer when the name is too long to be told apart from others. */
static void write_label(struct writer *label, const char *key, const char *name)
{
	uint8_t text[METRICS_NAME_MAX + 8];
	struct writer escaped = writer_of(text, sizeof text);
	escape_label(&escaped, slice_of_text(name), sizeof text);
	if (escaped.len > METRICS_NAME_MAX)
		label->failed = true;
	writer_text(label, key);
	writer_text(label, "=\"");
	writer_slice_bytes(label, writer_slice(&escaped));
	writer_text(label, "\"");
}

static uint16_t label_id(struct intern *names, const char *key, const char *name)
{
	uint8_t text[METRICS_NAME_MAX + 32];
	struct writer label = writer_of(text, sizeof text);
	write_label(&label, key, name);
	return label.failed ? METRICS_OTHER : intern_id(names, writer_slice(&label));
}

uint16_t metrics_view_id(struct metrics_registry *registry, const char *name)
{
	return label_id(&registry->views, "view", name);
}

uint16_t metrics_list_id(struct metrics_registry *registry, const char *name)
{
	return label_id(&registry->lists, "list", name);
}

uint16_t metrics_upstream_id(struct metrics_registry *registry, const char *name)
{
	return label_id(&registry->upstreams, "upstream", name);
}

uint16_t metrics_rule_id(struct metrics_registry *registry, const char *rule_group,
	const char *rule, enum action action)
{
	uint8_t text[3 * (METRICS_NAME_MAX + 32)];
	struct writer label = writer_of(text, sizeof text);
	write_label(&label, "rule_group", rule_group);
	writer_text(&label, ",");
	write_label(&label, "rule", rule);
	writer_text(&label, ",");
	write_label(&label, "action", action_name(action));
	return label.failed ? METRICS_OTHER : intern_id(&registry->rules, writer_slice(&label));
}

/* --- counting --- */

struct metrics *metrics_new(struct metrics_registry *registry)
{
	struct metrics *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return NULL;
	/* A huge page would make all of it resident at the first count. */
	madvise(m, sizeof *m, MADV_NOHUGEPAGE);
	pthread_mutex_lock(&registry->lock);
	m->next = registry->sets;
	m->number = m->next ? m->next->number + 1 : 0;
	registry->sets = m;
	pthread_mutex_unlock(&registry->lock);
	return m;
}

/* One writer: a load and a store, no locked instruction. */
static void add(struct metrics *m, size_t cell, uint64_t count)
{
	uint64_t value = atomic_load_explicit(&m->cells[cell], memory_order_relaxed);
	atomic_store_explicit(&m->cells[cell], value + count, memory_order_relaxed);
}

static unsigned bucket_of(enum metrics_unit unit, uint64_t value)
{
	unsigned bucket = 0;
	while (bucket < METRICS_BUCKETS && value > metrics_bounds[unit][bucket])
		bucket++;
	return bucket;
}

unsigned metrics_duration_bucket(uint32_t duration_us)
{
	return bucket_of(METRICS_UNIT_SECONDS, duration_us);
}

static void observe(struct metrics *m, size_t cell, enum metrics_unit unit, uint64_t value)
{
	add(m, cell + bucket_of(unit, value), 1);
	add(m, cell + METRICS_HISTOGRAM_SUM, value);
}

static unsigned type_index(uint16_t type)
{
	enum {
#define METRIC_TYPE(name) INDEX_##name,
#include "proxy/watch/metrics.def"
#undef METRIC_TYPE
		INDEX_OTHER
	};
	switch (type) {
#define METRIC_TYPE(name)                                                                          \
	case DNS_TYPE_##name:                                                                      \
		return INDEX_##name;
#include "proxy/watch/metrics.def"
#undef METRIC_TYPE
	default: return INDEX_OTHER;
	}
}

static unsigned rcode_index(uint16_t rcode)
{
	enum {
#define DNS_RCODE(name, number) INDEX_##name,
#include "dns/types.def"
#undef DNS_RCODE
		INDEX_OTHER
	};
	switch (rcode) {
#define DNS_RCODE(name, number)                                                                    \
	case number:                                                                               \
		return INDEX_##name;
#include "dns/types.def"
#undef DNS_RCODE
	default: return INDEX_OTHER;
	}
}

/* A number that is out of its set, which would be a mistake of ours, counts as another cell of the
 * same family, never outside of it. */
static size_t within(size_t index, size_t size)
{
	return index < size ? index : size - 1;
}

#define INDEX(index, label, value)                                                                 \
	((index)*METRICS_SIZE_##label + within((value), METRICS_SIZE_##label))

void metrics_request(struct metrics *m, uint16_t view_id, enum protocol protocol, bool is_ipv6,
	uint16_t type, size_t size)
{
	size_t index = INDEX(0, VIEW, view_id);
	index = INDEX(index, PROTO, protocol);
	index = INDEX(index, FAMILY, is_ipv6);
	index = INDEX(index, TYPE, type_index(type));
	add(m, METRICS_CELL_REQUESTS + index, 1);
	observe(m, METRICS_CELL_REQUEST_SIZE + INDEX(0, PROTO, protocol) * METRICS_HISTOGRAM_CELLS,
		METRICS_UNIT_BYTES, size);
}

void metrics_response(struct metrics *m, uint16_t view_id, enum protocol protocol, uint16_t rcode,
	enum metrics_source source, uint32_t duration_us, size_t size)
{
	size_t index = INDEX(0, VIEW, view_id);
	index = INDEX(index, PROTO, protocol);
	index = INDEX(index, RCODE, rcode_index(rcode));
	index = INDEX(index, SOURCE, source);
	add(m, METRICS_CELL_RESPONSES + index, 1);
	size_t proto = INDEX(0, PROTO, protocol);
	observe(m, METRICS_CELL_DURATION + INDEX(proto, SOURCE, source) * METRICS_HISTOGRAM_CELLS,
		METRICS_UNIT_SECONDS, duration_us);
	observe(m, METRICS_CELL_RESPONSE_SIZE + proto * METRICS_HISTOGRAM_CELLS, METRICS_UNIT_BYTES,
		size);
}

void metrics_decision(
	struct metrics *m, uint16_t view_id, enum action action, enum block_response block_response)
{
	size_t response = action == ACTION_BLOCK ? (size_t)block_response + 1 : 0;
	size_t index = INDEX(0, VIEW, view_id);
	index = INDEX(index, ACTION, action);
	index = INDEX(index, BLOCK_RESPONSE, response);
	add(m, METRICS_CELL_DECISIONS + index, 1);
}

void metrics_rule_match(struct metrics *m, uint16_t rule_id)
{
	add(m, METRICS_CELL_RULE_MATCHES + INDEX(0, RULE, rule_id), 1);
}

void metrics_observed_match(struct metrics *m, uint16_t rule_id)
{
	add(m, METRICS_CELL_OBSERVED_MATCHES + INDEX(0, RULE, rule_id), 1);
}

void metrics_exception(struct metrics *m, uint16_t view_id)
{
	add(m, METRICS_CELL_EXCEPTIONS + INDEX(0, VIEW, view_id), 1);
}

void metrics_shadow_decision(struct metrics *m, uint16_t view_id, enum metrics_outcome outcome)
{
	size_t index = INDEX(0, VIEW, view_id);
	add(m, METRICS_CELL_SHADOW_DECISIONS + INDEX(index, OUTCOME, outcome), 1);
}

void metrics_shadow_difference(
	struct metrics *m, uint16_t view_id, enum metrics_outcome from, enum metrics_outcome to)
{
	size_t index = INDEX(0, VIEW, view_id);
	index = INDEX(index, FROM, from);
	add(m, METRICS_CELL_SHADOW_DIFFERENCES + INDEX(index, TO, to), 1);
}

void metrics_rate_limited(struct metrics *m, uint16_t view_id, enum metrics_limited result)
{
	size_t index = INDEX(0, VIEW, view_id);
	add(m, METRICS_CELL_RATE_LIMITED + INDEX(index, LIMITED, result), 1);
}

void metrics_udp_limited(struct metrics *m, enum metrics_limited result)
{
	add(m, METRICS_CELL_UDP_LIMITED + INDEX(0, LIMITED, result), 1);
}

void metrics_cookie(struct metrics *m, enum dns_cookie_state state)
{
	add(m, METRICS_CELL_COOKIES + INDEX(0, COOKIE, state), 1);
}

void metrics_failure(struct metrics *m, uint16_t view_id, enum failure failure,
	enum metrics_failure_result result)
{
	size_t index = INDEX(0, VIEW, view_id);
	index = INDEX(index, FAILURE, failure);
	add(m, METRICS_CELL_FAILURES + INDEX(index, FAILURE_RESULT, result), 1);
}

void metrics_http(struct metrics *m, enum metrics_method method, unsigned status)
{
	size_t known = 0;
	while (known < METRICS_SIZE_STATUS - 1 && metrics_statuses[known] != status)
		known++;
	size_t index = INDEX(0, METHOD, method);
	add(m, METRICS_CELL_HTTP_RESPONSES + INDEX(index, STATUS, known), 1);
}

/* Where `word` stands; the last one is for all others. */
static size_t word_index(const char *const *words, size_t count, const char *word)
{
	size_t i = 0;
	while (i < count - 1 && strcmp(words[i], word) != 0)
		i++;
	return i;
}

void metrics_tls(struct metrics *m, const char *version, const char *error, bool is_resumed)
{
	size_t index = INDEX(0, TLS_VERSION,
		word_index(metrics_tls_versions, METRICS_SIZE_TLS_VERSION, version ? version : ""));
	index = INDEX(index, TLS_RESULT,
		word_index(metrics_tls_results, METRICS_SIZE_TLS_RESULT, error ? error : "ok"));
	add(m, METRICS_CELL_TLS_HANDSHAKES + INDEX(index, RESUMED, is_resumed), 1);
}

void metrics_connection_opened(struct metrics *m, enum protocol protocol)
{
	add(m, METRICS_CELL_CONNECTIONS_OPENED + INDEX(0, PROTO, protocol), 1);
	add(m, METRICS_CELL_CONNECTIONS + INDEX(0, PROTO, protocol), 1);
}

void metrics_connection_closed(struct metrics *m, enum protocol protocol)
{
	add(m, METRICS_CELL_CONNECTIONS + INDEX(0, PROTO, protocol), (uint64_t)-1);
}

void metrics_drop(struct metrics *m, enum metrics_drop_reason reason)
{
	add(m, METRICS_CELL_DROPPED + INDEX(0, DROP, reason), 1);
}

void metrics_reload(struct metrics *m, bool is_successful)
{
	add(m, METRICS_CELL_RELOADS + (is_successful ? 0 : 1), 1);
}

void metrics_add(struct metrics *m, enum metrics_plain metric, uint64_t count)
{
	static const enum metrics_cell cells[] = { [METRIC_COALESCED] = METRICS_CELL_COALESCED,
		[METRIC_CACHE_HITS] = METRICS_CELL_CACHE_HITS,
		[METRIC_CACHE_MISSES] = METRICS_CELL_CACHE_MISSES,
		[METRIC_CACHE_PREFETCHES] = METRICS_CELL_CACHE_PREFETCHES,
		[METRIC_CERTIFICATE_RELOAD_FAILURES] = METRICS_CELL_CERTIFICATE_RELOAD_FAILURES };
	add(m, cells[metric], count);
}

/* --- do the loops turn? --- */

void metrics_turn(struct metrics *m, uint64_t now_ms)
{
	atomic_store_explicit(&m->last_turn_ms, now_ms, memory_order_relaxed);
}

uint64_t metrics_oldest_turn_ms(struct metrics_registry *registry, uint64_t now_ms)
{
	uint64_t oldest = 0;
	pthread_mutex_lock(&registry->lock);
	for (struct metrics *set = registry->sets; set; set = set->next) {
		uint64_t turn = atomic_load_explicit(&set->last_turn_ms, memory_order_relaxed);
		if (turn && turn < now_ms && now_ms - turn > oldest)
			oldest = now_ms - turn;
	}
	pthread_mutex_unlock(&registry->lock);
	return oldest;
}
