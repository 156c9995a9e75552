#include "proxy/lists/list_lint.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"
#include "proxy/lists/lint_health.h"
#include "rules/image_build.h"

/* A finding that waits for its turn. What it says of names and texts lies in the heap; a covering
 * entry's name is the end of the covered one's. */
struct waiting {
	uint64_t at; /* in the heap; ascending, so that it breaks ties */
	uint32_t line;
	uint32_t by_line;
	uint16_t len;
	uint8_t by_len;
	uint8_t kind : 4;
	uint8_t is_exception : 1;
	uint8_t pattern : 2;
	uint8_t by_pattern : 2;
	uint8_t detail; /* list_reject, suffix_kind, or which name of health checks */
	uint8_t health_count;
};
_Static_assert(sizeof(struct waiting) == 24, "ten million of them are 240 MB");

struct lint {
	struct image_builder *builder;
	struct lint_health *health;
	const struct suffixes *suffixes;
	struct lint_summary *summary;
	struct waiting *waiting;
	size_t count, capacity;
	uint8_t *heap;
	size_t heap_len, heap_capacity;
	int error;
};

/* ---- what is found is kept until all is known ---- */

/* Room for `needed` elements; NULL when out of memory, and then all is as it was. */
static void *grow(void *at, size_t *capacity, size_t needed, size_t size)
{
	size_t wanted = *capacity ? *capacity : 4096;
	while (wanted < needed)
		wanted += wanted / 2;
	if (wanted == *capacity)
		return at;
	void *grown = realloc(at, wanted * size);
	if (grown)
		*capacity = wanted;
	return grown;
}

static bool make_room(struct lint *lint, size_t heap_len)
{
	struct waiting *waiting =
		grow(lint->waiting, &lint->capacity, lint->count + 1, sizeof *waiting);
	if (waiting)
		lint->waiting = waiting;
	uint8_t *heap = grow(lint->heap, &lint->heap_capacity, lint->heap_len + heap_len, 1);
	if (heap)
		lint->heap = heap;
	if (!waiting || !heap)
		lint->error = ERR_NO_MEMORY;
	return waiting && heap;
}

static uint8_t detail_of(const struct lint_finding *finding)
{
	switch (finding->kind) {
	case LINT_REJECTED: return (uint8_t)finding->reject;
	case LINT_SUFFIX: return (uint8_t)finding->suffix;
	case LINT_HEALTH: return (uint8_t)(finding->health - builtin_client_health_names);
	default: return 0;
	}
}

static void keep(void *context, const struct lint_finding *finding)
{
	struct lint *lint = context;
	struct slice bytes = finding->kind == LINT_REJECTED ? finding->text : finding->name;
	lint->summary->counts[finding->kind]++;
	if (lint->error || !make_room(lint, bytes.len))
		return;
	lint->waiting[lint->count++] = (struct waiting){
		.at = lint->heap_len,
		.line = finding->line,
		.by_line = finding->by_line,
		.len = (uint16_t)bytes.len,
		.by_len = (uint8_t)finding->by.len,
		.kind = finding->kind & 15,
		.is_exception = finding->is_exception,
		.pattern = finding->pattern & 3,
		.by_pattern = finding->by_pattern & 3,
		.detail = detail_of(finding),
		.health_count = (uint8_t)finding->health_count,
	};
	if (bytes.len > 0)
		memcpy(lint->heap + lint->heap_len, bytes.at, bytes.len);
	lint->heap_len += bytes.len;
}

static struct lint_finding finding_of(const struct lint *lint, const struct waiting *waiting)
{
	struct slice bytes = slice_of(lint->heap + waiting->at, waiting->len);
	struct lint_finding finding = {
		.kind = (enum lint_kind)waiting->kind,
		.line = waiting->line,
		.by_line = waiting->by_line,
		.name = bytes,
		.pattern = (enum pattern_kind)waiting->pattern,
		.is_exception = waiting->is_exception,
		.by = slice_of(bytes.at + bytes.len - waiting->by_len, waiting->by_len),
		.by_pattern = (enum pattern_kind)waiting->by_pattern,
		.health_count = waiting->health_count,
	};
	if (finding.kind == LINT_REJECTED) {
		finding.reject = (enum list_reject)waiting->detail;
		finding.text = bytes;
	}
	if (finding.kind == LINT_SUFFIX)
		finding.suffix = (enum suffix_kind)waiting->detail;
	if (finding.kind == LINT_HEALTH)
		finding.health = &builtin_client_health_names[waiting->detail];
	return finding;
}

static int compare(const void *a, const void *b)
{
	const struct waiting *left = a, *right = b;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->at < right->at ? -1 : left->at > right->at;
}

/* ---- the list is read ---- */

static void look_at_suffix(struct lint *lint, const struct list_pattern *pattern)
{
	enum facet_effect effect = pattern->facet->effect;
	struct slice name = dns_name_slice(pattern->name);
	if (!lint->suffixes || effect == FACET_CANCEL)
		return;
	enum suffix_kind suffix = suffixes_find(lint->suffixes, name);
	/* A host name of one label is nobody else's. */
	if (suffix == SUFFIX_NONE || (suffix == SUFFIX_TOP && pattern->kind == PATTERN_EXACT))
		return;
	const struct lint_finding finding = {
		.kind = LINT_SUFFIX,
		.line = pattern->line,
		.name = name,
		.pattern = pattern->kind,
		.suffix = suffix,
		.is_exception = effect == FACET_EXCEPT || effect == FACET_PASS,
	};
	keep(lint, &finding);
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct lint *lint = context;
	look_at_suffix(lint, pattern);
	lint_health_see(lint->health, pattern);
	int error = image_add_pattern(lint->builder, pattern);
	return error ? error : lint->error;
}

static int on_network(void *context, const struct list_network *network)
{
	struct lint *lint = context;
	return image_add_network(lint->builder, network);
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct lint *lint = context;
	const struct lint_finding finding = {
		.kind = LINT_REJECTED, .line = line, .reject = reject, .text = text
	};
	lint->summary->reject_counts[reject]++;
	keep(lint, &finding);
}

static int read_list(struct lint *lint, enum list_format format, struct slice text)
{
	const struct list_sink sink = {
		.on_pattern = on_pattern,
		.on_network = on_network,
		.on_reject = on_reject,
		.context = lint,
	};
	int error = image_add_list(lint->builder, "list", format);
	if (!error)
		error = list_read(format, text, &sink);
	return error ? error : lint->error;
}

/* ---- what only the whole list knows ---- */

static void on_drop(void *context, const struct image_drop *drop)
{
	const struct lint_finding finding = {
		.kind = drop->by.len ? LINT_COVERED : LINT_DUPLICATE,
		.line = drop->line,
		.name = drop->name,
		.pattern = drop->kind,
		.by = drop->by,
		.by_pattern = drop->by_kind,
		.by_line = drop->by_line,
	};
	keep(context, &finding);
}

static int look_at_image(struct lint *lint, struct slice bytes)
{
	const char *why;
	struct image *image = image_open(bytes, &why);
	if (!image)
		return ERR_NO_MEMORY; /* it was made a moment ago */
	lint->summary->entry_count = image_list(image, 0)->entry_count;
	lint_health_find(lint->health, image, keep, lint);
	image_close(image);
	return lint->error;
}

static int build(struct lint *lint)
{
	struct slice bytes;
	int error = image_build(lint->builder, &bytes, on_drop, lint);
	if (error)
		return error;
	error = look_at_image(lint, bytes);
	free((void *)(uintptr_t)bytes.at);
	return error;
}

static uint64_t count_lines(struct slice text)
{
	uint64_t count = 0;
	while (text.len) {
		const uint8_t *newline = memchr(text.at, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.at) + 1 : text.len;
		text = slice_of(text.at + len, text.len - len);
		count++;
	}
	return count;
}

static int look(struct lint *lint, enum list_format format, struct slice text)
{
	uint64_t salt;
	random_fill(&salt, sizeof salt);
	lint->builder = image_builder_new(salt);
	lint->health = lint_health_new();
	if (!lint->builder || !lint->health)
		return ERR_NO_MEMORY;
	int error = read_list(lint, format, text);
	return error ? error : build(lint);
}

int list_lint(enum list_format format, struct slice text, const struct suffixes *suffixes,
	void (*on_finding)(void *context, const struct lint_finding *finding), void *context,
	struct lint_summary *summary)
{
	struct lint lint = { .suffixes = suffixes, .summary = summary };
	*summary = (struct lint_summary){ .line_count = count_lines(text) };
	int error = look(&lint, format, text);
	if (!error && lint.count > 0)
		qsort(lint.waiting, lint.count, sizeof *lint.waiting, compare);
	for (size_t i = 0; !error && i < lint.count; i++) {
		struct lint_finding finding = finding_of(&lint, &lint.waiting[i]);
		on_finding(context, &finding);
	}
	image_builder_free(lint.builder);
	lint_health_free(lint.health);
	free(lint.waiting);
	free(lint.heap);
	return error;
}
