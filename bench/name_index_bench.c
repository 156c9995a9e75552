/* name_index_bench.c - what a look-up and a load cost. bench/README.md says how to build it.
 *
 * Names are made up: 18 bytes of text on average, as block lists have. Absent names have three
 * suffixes under the same top-level domains. Look-ups go round a set much larger than the caches.
 */
#include "rules/name_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { QUERIES = 1 << 18, ROUNDS = 8 };

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* "www.k3jd92kfpq1.com"; every number makes another name. */
static size_t make_name(char *to, uint64_t number)
{
	static const char *const tops[] = { "com", "net", "org", "info", "xyz", "top", "co.uk" };
	static const char *const fronts[] = { "", "", "www.", "cdn.", "mail." };
	char label[16];
	uint64_t bits = mix(number);
	size_t len = 9 + bits % 5;
	for (size_t i = 0; i < len; i++)
		label[i] = "abcdefghijklmnopqrstuvwxyz012345"[(bits >> (i * 4 + 4)) % 32];
	label[len] = '\0';
	return (size_t)sprintf(to, "%s%s%llx.%s", fronts[bits % 5], label,
		(unsigned long long)number % 16, tops[bits % 7]);
}

struct load {
	struct name_index_builder builder;
	size_t rejects;
};

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct load *load = context;
	return name_index_add(&load->builder, 0, pattern->name, pattern->kind, pattern->line);
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	(void)line;
	(void)reject;
	(void)text;
	((struct load *)context)->rejects++;
}

static struct dns_name *make_queries(uint64_t from, uint64_t below)
{
	struct dns_name *queries = calloc(QUERIES, sizeof *queries);
	for (size_t i = 0; queries && i < QUERIES; i++) {
		char text[64];
		size_t len = make_name(text, from + mix(i) % below);
		if (!dns_name_from_text(&queries[i], slice_of(text, len)))
			abort();
	}
	return queries;
}

static void measure_find(
	const struct name_index *index, const char *what, uint64_t from, uint64_t below)
{
	struct dns_name *queries = make_queries(from, below);
	struct name_matches matches;
	size_t found = 0;
	if (!queries)
		abort();
	double start = now_s();
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < QUERIES; i++)
			found += name_index_find(index, dns_name_slice(&queries[i]), &matches);
	double took = now_s() - start;
	printf("  %-8s %6.1f ns a look-up (%.1f %% found)\n", what,
		took * 1e9 / (QUERIES * (double)ROUNDS),
		100.0 * (double)found / (QUERIES * (double)ROUNDS));
	free(queries);
}

static void measure(size_t count)
{
	char *text = malloc(count * 64);
	size_t len = 0;
	if (!text)
		abort();
	for (size_t i = 0; i < count; i++) {
		len += make_name(text + len, i);
		text[len++] = '\n';
	}
	struct load load = { .rejects = 0 };
	struct list_sink sink = {
		.on_pattern = on_pattern, .on_reject = on_reject, .context = &load
	};
	struct name_index index;
	double start = now_s();
	name_index_builder_init(&load.builder, 1);
	int error = list_read(LIST_WILDCARD, slice_of(text, len), &sink);
	double read = now_s();
	if (!error)
		error = name_index_build(&index, &load.builder, NULL, NULL);
	double built = now_s();
	if (error)
		abort();
	printf("%zu lines, %.1f bytes a line: read %.3f s, index %.3f s, %.2f s a million lines\n",
		count, (double)len / (double)count, read - start, built - read,
		(built - start) * 1e6 / (double)count);
	printf("  %.1f bytes a name (%zu names)\n",
		(double)name_index_memory(&index) / (double)index.name_count, index.name_count);
	measure_find(&index, "absent", count, count);
	measure_find(&index, "present", 0, count);
	name_index_deinit(&index);
	free(text);
}

int main(void)
{
	measure(100 * 1000);
	measure(1000 * 1000);
	return 0;
}
