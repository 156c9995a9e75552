/* metrics_cells.h - how a set of counters lies in memory; for metrics.c and metrics_text.c only.
 * Each family is a dense table of cells, the label that comes first in metrics.def outermost, so a
 * cell is found by arithmetic and a view that is not used leaves its pages untouched. */
#ifndef PROXY_WATCH_METRICS_CELLS_H
#define PROXY_WATCH_METRICS_CELLS_H

#include <stdatomic.h>

#include "proxy/watch/intern.h"
#include "proxy/watch/metrics.h"

/* How many values each label has. */
enum metrics_size {
	METRICS_SIZE_NONE = 1,
	METRICS_SIZE_VIEW = METRICS_VIEWS + 2, /* "other" and "" */
	METRICS_SIZE_RULE = METRICS_RULES + 1,
	METRICS_SIZE_PROTO = PROTOCOL_COUNT,
	METRICS_SIZE_FAMILY = 2,
	METRICS_SIZE_SOURCE = METRICS_SOURCE_COUNT,
	METRICS_SIZE_ACTION = ACTION_COUNT,
	METRICS_SIZE_BLOCK_RESPONSE = BLOCK_RESPONSE_COUNT + 1, /* "" first */
	METRICS_SIZE_OUTCOME = METRICS_OUTCOME_COUNT,
	METRICS_SIZE_FROM = METRICS_OUTCOME_COUNT,
	METRICS_SIZE_TO = METRICS_OUTCOME_COUNT,
	METRICS_SIZE_METHOD = METRICS_METHOD_COUNT,
	METRICS_SIZE_RESUMED = 2,
	METRICS_SIZE_RESULT = 2,
	METRICS_SIZE_DROP = METRICS_DROP_COUNT,
	METRICS_SIZE_LIMITED = METRICS_LIMITED_COUNT,
	METRICS_SIZE_COOKIE = DNS_COOKIE_FRESH + 1,
	METRICS_SIZE_FAILURE = FAILURE_COUNT,
	METRICS_SIZE_FAILURE_RESULT = METRICS_FAILURE_RESULT_COUNT,
	METRICS_SIZE_TLS_VERSION = 3,
	METRICS_SIZE_TYPE = 1 /* "other" */
#define METRIC_TYPE(name) +1
#include "proxy/watch/metrics.def"
#undef METRIC_TYPE
	,
	METRICS_SIZE_RCODE = 1
#define DNS_RCODE(name, number) +1
#include "dns/types.def"
#undef DNS_RCODE
	,
	METRICS_SIZE_STATUS = 1
#define METRIC_STATUS(number) +1
#include "proxy/watch/metrics.def"
#undef METRIC_STATUS
	,
	METRICS_SIZE_TLS_RESULT = 0
#define METRIC_TLS_RESULT(word) +1
#include "proxy/watch/metrics.def"
#undef METRIC_TLS_RESULT
};

enum {
	METRICS_OTHER = 0, /* of every interned label */
	METRICS_HISTOGRAM_SUM = METRICS_BUCKETS + 1,
	METRICS_HISTOGRAM_CELLS = METRICS_BUCKETS + 2, /* buckets, the rest, the sum */
};

/* Where each family begins; METRICS_CELLS is the number of all cells. */
enum metrics_cell {
#define METRIC_COUNTER(id, name, a, b, c, d, help)                                                 \
	METRICS_CELL_##id,                                                                         \
		METRICS_END_##id = METRICS_CELL_##id +                                             \
		METRICS_SIZE_##a * METRICS_SIZE_##b * METRICS_SIZE_##c * METRICS_SIZE_##d - 1,
#define METRIC_LEVEL METRIC_COUNTER
#define METRIC_HISTOGRAM(id, name, unit, a, b, help)                                               \
	METRICS_CELL_##id,                                                                         \
		METRICS_END_##id = METRICS_CELL_##id +                                             \
		METRICS_SIZE_##a * METRICS_SIZE_##b * METRICS_HISTOGRAM_CELLS - 1,
#include "proxy/watch/metrics.def"
#undef METRIC_COUNTER
#undef METRIC_LEVEL
#undef METRIC_HISTOGRAM
	METRICS_CELLS
};

struct metrics {
	struct metrics *next; /* in the registry's list */
	unsigned number;      /* in the order of birth */
	_Atomic uint64_t last_turn_ms;
	_Atomic uint64_t cells[METRICS_CELLS];
};

struct metrics_registry {
	pthread_mutex_t lock; /* of the list */
	struct metrics *sets; /* newest first */
	struct intern views;  /* texts are whole labels: view="lan" */
	struct intern rules;
	struct intern lists;
	struct intern upstreams;
};

enum metrics_unit { METRICS_UNIT_SECONDS, METRICS_UNIT_BYTES };

/* Upper bounds of the buckets, in microseconds or bytes; unused ones at the end are UINT64_MAX. */
extern const uint64_t metrics_bounds[2][METRICS_BUCKETS];

uint16_t metrics_list_id(struct metrics_registry *registry, const char *name);
uint16_t metrics_upstream_id(struct metrics_registry *registry, const char *name);

extern const char *const metrics_tls_results[METRICS_SIZE_TLS_RESULT];
extern const char *const metrics_tls_versions[METRICS_SIZE_TLS_VERSION];
extern const uint16_t metrics_statuses[METRICS_SIZE_STATUS - 1];

#endif
