/* cache_bench.c - what the cache costs, and what it keeps. bench/README.md says how to build it.
 *
 *   cost     CPU ns of a hit, a miss and a put at some numbers of names, values of 150 bytes;
 *            5 million names into 64 MiB: memory, and ns of a put that evicts
 *   threads  CPU ns of a hit by one thread, by two at once, and by two at the same key; how often
 *            one found the lock taken
 *   zipf,    hits on made-up and real traces, beside LRU, SIEVE and FIFO of exactly the bytes that
 *            our logs have. TTLs are ignored.
 *
 * Usage: cache_bench [cost|threads|zipf|logs] [LOGS], LOGS a directory of *.tsv.gz: seconds,
 * client, type, name, rcode, bytes of the answer. */
#include "proxy/cache/cache.h"

#include "dns/packed.h"
#include "proxy/cache/entry.h"

#include <glob.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { QUERIES = 1 << 18, VALUE_LEN = 150, HOUR_S = 3600 };

static uint8_t value[DNS_PACKED_MAX];

static double cpu_s(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
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
static void make_name(struct dns_name *name, uint64_t number)
{
	static const char *const tops[] = { "com", "net", "org", "info", "xyz" };
	static const char *const fronts[] = { "", "www.", "cdn.", "api.mail." };
	char text[64];
	uint64_t bits = mix(number);
	snprintf(text, sizeof text, "%s%06llx%llx.%s", fronts[bits % 4],
		(unsigned long long)(bits >> 40), (unsigned long long)number, tops[bits % 5]);
	if (!dns_name_from_text(name, slice_of_text(text)))
		abort();
}

static struct cache_key key_of(const struct dns_name *name)
{
	return (struct cache_key){ .name = dns_name_slice(name), .type = 1, .class = 1 };
}

static struct cache *new_cache(size_t size)
{
	struct cache_settings settings = { .size = size, .stale_s = HOUR_S, .salt = 7 };
	struct cache *cache = cache_new(&settings);
	if (!cache)
		abort();
	return cache;
}

/* --- cost --- */

/* Puts names in portions, of which only the putting is measured; CPU ns each. */
static double put_names(struct cache *cache, uint64_t from, uint64_t count)
{
	enum { PORTION = 4096 };
	static struct dns_name names[PORTION];
	double took_s = 0;
	for (uint64_t done = 0; done < count; done += PORTION) {
		uint64_t here = count - done < PORTION ? count - done : PORTION;
		for (uint64_t i = 0; i < here; i++)
			make_name(&names[i], from + done + i);
		double start_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
		for (uint64_t i = 0; i < here; i++) {
			struct cache_key key = key_of(&names[i]);
			cache_put(cache, &key, slice_of(value, VALUE_LEN), HOUR_S, 0);
		}
		took_s += cpu_s(CLOCK_THREAD_CPUTIME_ID) - start_s;
	}
	return took_s * 1e9 / (double)count;
}

static double find_names(struct cache *cache, const struct dns_name *names, size_t *found)
{
	static _Thread_local uint8_t buffer[DNS_PACKED_MAX];
	struct cache_hit hit;
	*found = 0;
	double start_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < QUERIES; i++) {
		struct cache_key key = key_of(&names[i]);
		cache_find(cache, &key, 1, buffer, &hit);
		*found += hit.state == CACHE_FRESH;
	}
	return (cpu_s(CLOCK_THREAD_CPUTIME_ID) - start_s) * 1e9 / QUERIES;
}

static struct dns_name *draw_names(uint64_t from, uint64_t below, uint64_t seed)
{
	struct dns_name *names = calloc(QUERIES, sizeof *names);
	if (!names)
		abort();
	for (size_t i = 0; i < QUERIES; i++)
		make_name(&names[i], from + mix(seed + i) % below);
	return names;
}

static size_t resident_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[200];
	size_t kib = 0, found;
	while (status && fgets(line, sizeof line, status))
		if (sscanf(line, "RssAnon: %zu kB", &found) == 1)
			kib = found;
	if (status)
		fclose(status);
	return kib;
}

/* What nobody can do without: one copy from anywhere in so much memory. */
static double copy_from_anywhere(size_t size)
{
	static uint8_t buffer[VALUE_LEN];
	uint8_t *memory = malloc(size + VALUE_LEN);
	uint32_t *places = malloc(QUERIES * sizeof *places);
	unsigned sum = 0;
	if (!memory || !places)
		abort();
	memset(memory, 1, size + VALUE_LEN);
	for (uint64_t i = 0; i < QUERIES; i++)
		places[i] = (uint32_t)(mix(i) % size);
	double start_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < QUERIES; i++) {
		memcpy(buffer, memory + ((places[i] + sum) & ~7u), VALUE_LEN);
		sum = buffer[VALUE_LEN - 1] - 1u; /* 0, but the next one has to wait for it */
	}
	double took_s = cpu_s(CLOCK_THREAD_CPUTIME_ID) - start_s;
	free(memory);
	free(places);
	return took_s * 1e9 / QUERIES;
}

static void measure_cost(uint64_t count)
{
	struct cache *cache = new_cache((size_t)(count * 320 < 4 << 20 ? 4 << 20 : count * 320));
	struct dns_name *present = draw_names(0, count, 1);
	struct dns_name *absent = draw_names(count, count, 2);
	struct cache_stats stats;
	size_t hits, none;
	double put_ns = put_names(cache, 0, count);
	double again_ns = put_names(cache, 0, count);
	find_names(cache, present, &hits);
	double hit_ns = find_names(cache, present, &hits);
	double miss_ns = find_names(cache, absent, &none);
	cache_stats(cache, &stats);
	printf("%8llu names: hit %5.0f ns (%.1f %% found), miss %5.0f ns, put new %5.0f ns, "
	       "put again %5.0f ns; %.0f bytes an entry; bare copy %.0f ns\n",
		(unsigned long long)count, hit_ns, 100.0 * (double)hits / QUERIES, miss_ns, put_ns,
		again_ns, (double)stats.used / (double)stats.entries,
		copy_from_anywhere(stats.used));
	free(present);
	free(absent);
	cache_free(cache);
}

static void measure_flood(void)
{
	struct cache_stats stats;
	size_t before_kib = resident_kib();
	struct cache *cache = new_cache(64 << 20);
	size_t empty_kib = resident_kib();
	put_names(cache, 0, 1000);
	size_t few_kib = resident_kib();
	double put_ns = put_names(cache, 1000, 5 * 1000 * 1000);
	size_t after_kib = resident_kib();
	cache_stats(cache, &stats);
	printf("64 MiB: RssAnon +%zu KiB empty, +%zu KiB with 1000 names; 5 M names: +%zu KiB, "
	       "%.0f ns a put, %zu entries, %zu KiB used, %llu evicted\n",
		empty_kib - before_kib, few_kib - before_kib, after_kib - before_kib, put_ns,
		stats.entries, stats.used / 1024, (unsigned long long)stats.evicted);
	cache_free(cache);
}

/* --- threads --- */

enum { ROUNDS = 40 };

struct finder {
	pthread_t id;
	struct cache *cache;
	const struct dns_name *names;
	pthread_barrier_t *barrier;
	double ns;
};

static void *find_rounds(void *context)
{
	struct finder *finder = context;
	size_t found;
	finder->ns = 0;
	pthread_barrier_wait(finder->barrier);
	for (unsigned i = 0; i < ROUNDS; i++)
		finder->ns += find_names(finder->cache, finder->names, &found) / ROUNDS;
	return NULL;
}

static void measure_threads(
	struct cache *cache, const char *what, unsigned count, const struct dns_name *const *names)
{
	struct finder finders[2];
	pthread_barrier_t barrier;
	struct cache_stats before, after;
	double ns = 0;
	pthread_barrier_init(&barrier, NULL, count);
	cache_stats(cache, &before);
	double start_s = cpu_s(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < count; i++) {
		finders[i] =
			(struct finder){ .cache = cache, .names = names[i], .barrier = &barrier };
		pthread_create(&finders[i].id, NULL, find_rounds, &finders[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(finders[i].id, NULL);
		ns += finders[i].ns / count;
	}
	double took_s = cpu_s(CLOCK_MONOTONIC) - start_s;
	cache_stats(cache, &after);
	double finds = (double)QUERIES * ROUNDS * count;
	printf("%-34s %5.0f CPU ns a hit, %5.1f M hits/s, lock found taken %.4f %%\n", what, ns,
		finds / took_s / 1e6, 100.0 * (double)(after.contended - before.contended) / finds);
	pthread_barrier_destroy(&barrier);
}

static void measure_all_threads(void)
{
	enum { NAMES = 20000 };
	struct cache *cache = new_cache(64 << 20);
	put_names(cache, 0, NAMES);
	struct dns_name *one = draw_names(0, NAMES, 1);
	struct dns_name *two = draw_names(0, NAMES, 2);
	struct dns_name *hot = draw_names(0, 1, 3);
	measure_threads(cache, "one thread, 20 k names", 1, (const struct dns_name *[]){ one });
	measure_threads(cache, "two threads, the same 20 k names", 2,
		(const struct dns_name *[]){ one, two });
	measure_threads(cache, "one thread, one hot name", 1, (const struct dns_name *[]){ hot });
	measure_threads(cache, "two threads, the same hot name", 2,
		(const struct dns_name *[]){ hot, hot });
	free(one);
	free(two);
	free(hot);
	cache_free(cache);
}

/* --- ratio: traces --- */

/* Things are numbered from 0 without gaps. */
struct trace {
	uint32_t *asked;
	size_t count;
	uint32_t things;
	struct dns_name *names; /* NULL: made up */
	uint16_t *types;
	uint16_t *sizes; /* of the value; NULL: made up */
};

static uint16_t trace_size(const struct trace *trace, uint32_t thing)
{
	return trace->sizes ? trace->sizes[thing] : (uint16_t)(80 + mix(thing) % 320);
}

static struct cache_key trace_key(const struct trace *trace, uint32_t thing, struct dns_name *room)
{
	if (!trace->names)
		make_name(room, thing);
	struct cache_key key = key_of(trace->names ? &trace->names[thing] : room);
	if (trace->types)
		key.type = trace->types[thing];
	return key;
}

static void trace_free(struct trace *trace)
{
	free(trace->asked);
	free(trace->names);
	free(trace->types);
	free(trace->sizes);
}

/* Popularity 1 / rank^s over a million names; `scan` of all are asked for once and never again. */
static struct trace make_zipf(double s, double scan, size_t count)
{
	enum { NAMES = 1000 * 1000 };
	double *sums = malloc((NAMES + 1) * sizeof *sums);
	struct trace trace = { .asked = malloc(count * sizeof *trace.asked), .count = count };
	if (!sums || !trace.asked)
		abort();
	sums[0] = 0;
	for (size_t i = 0; i < NAMES; i++)
		sums[i + 1] = sums[i] + 1 / pow((double)(i + 1), s);
	trace.things = NAMES;
	for (size_t i = 0; i < count; i++) {
		if ((double)(mix(i * 2) >> 11) * 0x1p-53 < scan) {
			trace.asked[i] = trace.things++;
			continue;
		}
		double wanted = (double)(mix(i * 2 + 1) >> 11) * 0x1p-53 * sums[NAMES];
		size_t low = 0, high = NAMES;
		while (high - low > 1) {
			size_t middle = (low + high) / 2;
			*(sums[middle] <= wanted ? &low : &high) = middle;
		}
		trace.asked[i] = (uint32_t)low;
	}
	free(sums);
	return trace;
}

/* --- ratio: real logs --- */

struct line {
	double at_s;
	struct dns_name name;
	uint16_t type;
	uint16_t size;
	uint32_t number;
};

struct lines {
	struct line *at;
	size_t count, capacity;
};

static uint16_t type_number(const char *text)
{
	uint16_t number = 0; /* any, as long as it is another for another type */
	while (*text)
		number = (uint16_t)(number * 31 + (uint8_t)*text++);
	return number;
}

static void read_line(struct lines *lines, char *text)
{
	char client[64], type[32], name[1100], rcode[32];
	unsigned size;
	struct line line = { .number = (uint32_t)lines->count };
	if (sscanf(text, "%lf %63s %31s %1099s %31s %u", &line.at_s, client, type, name, rcode,
		    &size) != 6 ||
		!dns_name_from_text(&line.name, slice_of_text(name)))
		return;
	dns_name_lower(line.name.wire, line.name.wire, line.name.len);
	line.type = type_number(type);
	line.size = (uint16_t)(size + 30); /* what a packed answer has in front */
	if (lines->count == lines->capacity) {
		lines->capacity = lines->capacity ? lines->capacity * 2 : 65536;
		lines->at = realloc(lines->at, lines->capacity * sizeof *lines->at);
		if (!lines->at)
			abort();
	}
	lines->at[lines->count++] = line;
}

static void read_file(struct lines *lines, const char *path)
{
	char command[1024], text[2048];
	snprintf(command, sizeof command, "gzip -dc '%s'", path);
	FILE *pipe = popen(command, "r");
	while (pipe && fgets(text, sizeof text, pipe))
		read_line(lines, text);
	if (pipe)
		pclose(pipe);
}

static int by_time(const void *a, const void *b)
{
	const struct line *one = a, *other = b;
	if (one->at_s != other->at_s)
		return one->at_s < other->at_s ? -1 : 1;
	return one->number < other->number ? -1 : 1;
}

static int by_key(const void *a, const void *b)
{
	const struct line *one = *(struct line *const *)a, *other = *(struct line *const *)b;
	if (one->type != other->type)
		return one->type < other->type ? -1 : 1;
	if (one->name.len != other->name.len)
		return one->name.len < other->name.len ? -1 : 1;
	return memcmp(one->name.wire, other->name.wire, one->name.len);
}

/* All files that match, as if at one resolver: in the order of time. */
static struct trace read_logs(const char *directory, const char *pattern)
{
	struct lines lines = { 0 };
	struct trace trace = { 0 };
	char path[1024];
	glob_t files;
	snprintf(path, sizeof path, "%s/%s", directory, pattern);
	if (glob(path, 0, NULL, &files) != 0)
		return trace;
	for (size_t i = 0; i < files.gl_pathc; i++)
		read_file(&lines, files.gl_pathv[i]);
	globfree(&files);
	qsort(lines.at, lines.count, sizeof *lines.at, by_time);
	struct line **sorted = malloc(lines.count * sizeof *sorted);
	trace.count = lines.count;
	trace.asked = malloc(lines.count * sizeof *trace.asked);
	trace.names = malloc(lines.count * sizeof *trace.names);
	trace.types = malloc(lines.count * sizeof *trace.types);
	trace.sizes = malloc(lines.count * sizeof *trace.sizes);
	for (size_t i = 0; i < lines.count; i++)
		sorted[i] = &lines.at[i];
	qsort(sorted, lines.count, sizeof *sorted, by_key);
	for (size_t i = 0; i < lines.count; i++) {
		if (i == 0 || by_key(&sorted[i - 1], &sorted[i]) != 0) {
			trace.names[trace.things] = sorted[i]->name;
			trace.types[trace.things] = sorted[i]->type;
			trace.sizes[trace.things++] = sorted[i]->size;
		}
		trace.asked[sorted[i] - lines.at] = trace.things - 1;
	}
	free(sorted);
	free(lines.at);
	return trace;
}

/* --- ratio: others --- */

enum policy { FIFO, LRU, SIEVE };

/* A list by numbers: 0 is its end on both sides, thing i is i + 1. `older` leads to the one that
 * came before. */
struct rival {
	enum policy policy;
	size_t budget, used;
	uint32_t *older, *newer;
	uint8_t *is_in, *visited;
	uint32_t hand;
};

static void rival_unlink(struct rival *rival, uint32_t at)
{
	rival->newer[rival->older[at]] = rival->newer[at];
	rival->older[rival->newer[at]] = rival->older[at];
}

static void rival_link(struct rival *rival, uint32_t at)
{
	rival->older[at] = rival->older[0]; /* the end's "older" is the newest */
	rival->newer[at] = 0;
	rival->newer[rival->older[0]] = at;
	rival->older[0] = at;
}

static uint32_t rival_victim(struct rival *rival)
{
	if (rival->policy != SIEVE)
		return rival->newer[0];
	uint32_t at = rival->hand ? rival->hand : rival->newer[0];
	while (rival->visited[at]) {
		rival->visited[at] = 0;
		at = rival->newer[at] ? rival->newer[at] : rival->newer[0];
	}
	rival->hand = rival->newer[at];
	return at;
}

static bool rival_ask(struct rival *rival, const struct trace *trace, uint32_t thing)
{
	struct dns_name room;
	uint32_t at = thing + 1;
	if (rival->is_in[at]) {
		rival->visited[at] = 1;
		if (rival->policy == LRU) {
			rival_unlink(rival, at);
			rival_link(rival, at);
		}
		return true;
	}
	size_t size = entry_size(trace_key(trace, thing, &room).name.len, trace_size(trace, thing));
	while (rival->used + size > rival->budget) {
		uint32_t victim = rival_victim(rival);
		rival_unlink(rival, victim);
		rival->is_in[victim] = 0;
		rival->used -= entry_size(trace_key(trace, victim - 1, &room).name.len,
			trace_size(trace, victim - 1));
	}
	rival->is_in[at] = 1;
	rival->visited[at] = 0;
	rival->used += size;
	rival_link(rival, at);
	return false;
}

static double rival_ratio(enum policy policy, const struct trace *trace, size_t budget)
{
	struct rival rival = { .policy = policy, .budget = budget };
	size_t hits = 0;
	rival.older = calloc(trace->things + 1, sizeof *rival.older);
	rival.newer = calloc(trace->things + 1, sizeof *rival.newer);
	rival.is_in = calloc(trace->things + 1, 1);
	rival.visited = calloc(trace->things + 1, 1);
	for (size_t i = 0; i < trace->count; i++)
		hits += rival_ask(&rival, trace, trace->asked[i]);
	free(rival.older);
	free(rival.newer);
	free(rival.is_in);
	free(rival.visited);
	return 100.0 * (double)hits / (double)trace->count;
}

static double our_ratio(const struct trace *trace, size_t size)
{
	static uint8_t buffer[DNS_PACKED_MAX];
	struct cache *cache = new_cache(size);
	size_t hits = 0;
	for (size_t i = 0; i < trace->count; i++) {
		struct dns_name room;
		struct cache_hit hit;
		struct cache_key key = trace_key(trace, trace->asked[i], &room);
		cache_find(cache, &key, 0, buffer, &hit);
		if (hit.state == CACHE_FRESH)
			hits++;
		else
			cache_put(cache, &key, slice_of(value, trace_size(trace, trace->asked[i])),
				HOUR_S, 0);
	}
	cache_free(cache);
	return 100.0 * (double)hits / (double)trace->count;
}

/* What a cache without limits would hit. */
static double most_ratio(const struct trace *trace)
{
	uint8_t *seen = calloc(trace->things, 1);
	size_t hits = 0;
	for (size_t i = 0; i < trace->count; i++) {
		hits += seen[trace->asked[i]];
		seen[trace->asked[i]] = 1;
	}
	free(seen);
	return 100.0 * (double)hits / (double)trace->count;
}

static void compare(const char *what, const struct trace *trace, size_t mib)
{
	size_t size = mib << 20;
	size_t logs = size - size / 160 * 8 - size / 200 * 2; /* less index and ghosts */
	printf("%-30s %3zu MiB | ours %5.2f | LRU %5.2f | SIEVE %5.2f | FIFO %5.2f | "
	       "without limit %5.2f\n",
		what, mib, our_ratio(trace, size), rival_ratio(LRU, trace, logs),
		rival_ratio(SIEVE, trace, logs), rival_ratio(FIFO, trace, logs), most_ratio(trace));
}

static void compare_zipf(void)
{
	static const struct {
		const char *what;
		double s, scan;
	} rows[] = { { "Zipf 0.8", 0.8, 0 }, { "Zipf 0.8, 30 % scan", 0.8, 0.3 },
		{ "Zipf 1.0", 1.0, 0 }, { "Zipf 1.0, 30 % scan", 1.0, 0.3 } };
	for (size_t i = 0; i < 4; i++) {
		struct trace trace = make_zipf(rows[i].s, rows[i].scan, 4 * 1000 * 1000);
		compare(rows[i].what, &trace, 4);
		compare(rows[i].what, &trace, 32);
		trace_free(&trace);
	}
}

static void compare_logs(const char *directory)
{
	static const char *const patterns[] = { "benign_stream_*", "benign_stream_desktops*", "*" };
	for (size_t i = 0; i < 3; i++) {
		char pattern[64];
		snprintf(pattern, sizeof pattern, "%s.tsv.gz", patterns[i]);
		struct trace trace = read_logs(directory, pattern);
		if (trace.count == 0) {
			printf("no logs in %s\n", directory);
			return;
		}
		printf("%s: %zu questions, %u different\n", patterns[i], trace.count, trace.things);
		for (size_t mib = 1; mib <= 4; mib *= 2)
			compare(patterns[i], &trace, mib);
		trace_free(&trace);
	}
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "all";
	bool all = strcmp(what, "all") == 0;
	if (all || strcmp(what, "cost") == 0) {
		static const uint64_t counts[] = { 1000, 100 * 1000, 1000 * 1000, 5 * 1000 * 1000 };
		measure_flood();
		for (size_t i = 0; i < 4; i++)
			measure_cost(counts[i]);
	}
	if (all || strcmp(what, "threads") == 0)
		measure_all_threads();
	if (all || strcmp(what, "zipf") == 0)
		compare_zipf();
	if (all || strcmp(what, "logs") == 0) {
		compare_logs(count > 2 ? words[2] : "../shared/data/logs");
	}
	return 0;
}
