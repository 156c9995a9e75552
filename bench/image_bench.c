/* image_bench.c - what an image of lists costs: bytes a name, ns a look-up, seconds to build and to
 * open. bench/README.md says how to build it. Arguments: numbers of names.
 *
 * Beside it, in the same run, stands the least that a list of names can cost: a Bloom filter of one
 * cache line a look in front of buckets of 40-bit remainders, without sets, lists or kinds, and
 * with a hash that is chained from label to label.
 *
 * Names are made up: 18 bytes of text on average, as block lists have. Absent names are under the
 * same top-level domains. Look-ups go round a set of queries that is much larger than the caches,
 * or (hot) round a few of them. Each size runs in a process of its own. */
#include "rules/image_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUERIES = 1 << 18, HOT = 1 << 8, ROUNDS = 6, REPEATS = 3, SMALL = 1000 };

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(bool good)
{
	if (!good)
		abort();
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

/* Lines "0.0.0.0 name" or "name". */
static struct slice make_text(uint64_t from, size_t count, const char *front)
{
	char *text = malloc(count * 64);
	size_t len = 0;
	must(text);
	for (size_t i = 0; i < count; i++) {
		len += (size_t)sprintf(text + len, "%s", front);
		len += make_name(text + len, from + i);
		text[len++] = '\n';
	}
	return slice_of(text, len);
}

static void drop_text(struct slice text)
{
	free((void *)(uintptr_t)text.at);
}

static struct dns_name *make_queries(uint64_t from, uint64_t below)
{
	struct dns_name *queries = calloc(QUERIES, sizeof *queries);
	must(queries);
	for (size_t i = 0; i < QUERIES; i++) {
		char text[64];
		size_t len = make_name(text, from + mix(i) % below);
		must(dns_name_from_text(&queries[i], slice_of(text, len)));
	}
	return queries;
}

/* The floor, after a program that measures how little a list can cost. */
struct floor {
	uint64_t *filter;
	uint8_t *buckets; /* 12 remainders of 40 bits; byte 60: how many, 61: went on to the next */
	uint64_t block_count;
	uint64_t bucket_count;
};

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t floor_hash_label(uint64_t hash, const uint8_t *label)
{
	const uint8_t *at = label + 1;
	size_t len = label[0];
	uint64_t word = 0;
	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&word, at, 8);
		hash = fold(hash ^ word, 0xe7037ed1a0b428db);
	}
	word = 0;
	memcpy(&word, at, len);
	return fold(hash ^ word ^ (uint64_t)label[0] << 56, 0x9e3779b97f4a7c15);
}

/* From the root's child on; returns how many. */
static size_t floor_hashes(struct slice name, uint64_t hashes[DNS_NAME_LABELS_MAX])
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t labels = dns_name_labels(name, offsets);
	uint64_t hash = 1;
	for (size_t i = 0; i < labels; i++) {
		hash = floor_hash_label(hash, name.at + offsets[labels - 1 - i]);
		hashes[i] = hash;
	}
	return labels;
}

static uint64_t share(uint64_t hash, uint64_t count)
{
	return (uint64_t)((unsigned __int128)hash * count >> 64);
}

static uint64_t *floor_block(const struct floor *least, uint64_t hash)
{
	return least->filter + share(hash, least->block_count) * 8;
}

static bool floor_passes(const struct floor *least, uint64_t hash)
{
	const uint64_t *block = floor_block(least, hash);
	for (unsigned i = 0; i < 4; i++) {
		unsigned bit = hash >> (i * 9) & 511;
		if (!(block[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

static bool floor_bucket(struct floor *least, uint64_t hash, bool add)
{
	unsigned __int128 wide = (unsigned __int128)hash * least->bucket_count;
	uint64_t at = (uint64_t)(wide >> 64);
	uint64_t remainder = (uint64_t)wide >> 24;
	for (;; at = at + 1 < least->bucket_count ? at + 1 : 0) {
		uint8_t *bucket = least->buckets + at * 64;
		for (unsigned i = 0; i < bucket[60]; i++) {
			uint64_t slot;
			memcpy(&slot, bucket + i * 5, 8);
			if ((slot & 0xffffffffff) == remainder)
				return true;
		}
		if (add && bucket[60] < 12) {
			memcpy(bucket + bucket[60]++ * 5, &remainder, 5);
			return false;
		}
		if (!add && !bucket[61])
			return false;
		bucket[61] = 1;
	}
}

static void floor_add(struct floor *least, struct slice name)
{
	uint64_t hashes[DNS_NAME_LABELS_MAX];
	size_t labels = floor_hashes(name, hashes);
	uint64_t hash = hashes[labels - 1];
	uint64_t *block = floor_block(least, hash);
	for (unsigned i = 0; i < 4; i++)
		block[hash >> (i * 9 + 6) & 7] |= UINT64_C(1) << (hash >> i * 9 & 63);
	floor_bucket(least, hash, true);
}

/* Not the top-level domain alone, as no list has it. */
static bool floor_find(struct floor *least, struct slice name)
{
	uint64_t hashes[DNS_NAME_LABELS_MAX];
	size_t labels = floor_hashes(name, hashes);
	for (size_t i = 1; i < labels; i++)
		if (floor_passes(least, hashes[i]) && floor_bucket(least, hashes[i], false))
			return true;
	return false;
}

static bool floor_take(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	(void)kind;
	(void)facet;
	floor_add(context, name);
	return true;
}

static struct floor floor_of(const struct image *image)
{
	size_t count = image_name_count(image);
	struct floor least = {
		.block_count = count / 64 + 1,
		.bucket_count = (uint64_t)((double)count / 12 / 0.85) + 1,
	};
	least.filter = aligned_alloc(64, least.block_count * 64);
	least.buckets = aligned_alloc(64, (least.bucket_count + 1) * 64);
	must(least.filter && least.buckets);
	memset(least.filter, 0, least.block_count * 64);
	memset(least.buckets, 0, (least.bucket_count + 1) * 64);
	image_each(image, 0, floor_take, &least);
	return least;
}

struct contest {
	const struct image *image;
	struct floor least;
	const struct dns_name *queries;
	size_t count; /* of queries, a power of 2 */
};

static double image_ns(struct contest *contest, size_t *found)
{
	struct image_matches matches;
	size_t looks = (size_t)QUERIES * ROUNDS;
	double start = now_s();
	*found = 0;
	for (size_t i = 0; i < looks; i++) {
		const struct dns_name *query = &contest->queries[i & (contest->count - 1)];
		*found += image_find(contest->image, dns_name_slice(query), 1, &matches);
	}
	return (now_s() - start) * 1e9 / (double)looks;
}

static double floor_ns(struct contest *contest, size_t *found)
{
	size_t looks = (size_t)QUERIES * ROUNDS;
	double start = now_s();
	*found = 0;
	for (size_t i = 0; i < looks; i++) {
		const struct dns_name *query = &contest->queries[i & (contest->count - 1)];
		*found += floor_find(&contest->least, dns_name_slice(query));
	}
	return (now_s() - start) * 1e9 / (double)looks;
}

/* The best of a few turns each, one after the other. */
static void contend(struct contest *contest, const char *what)
{
	double ours = 1e9;
	double theirs = 1e9;
	size_t found = 0;
	size_t known = 0;
	for (unsigned i = 0; i < REPEATS; i++) {
		double took = image_ns(contest, &found);
		ours = took < ours ? took : ours;
		took = floor_ns(contest, &known);
		theirs = took < theirs ? took : theirs;
	}
	printf("  %-13s %6.1f ns, floor %6.1f ns, ratio %.2f (%.1f %% found, floor %.1f %%)\n",
		what, ours, theirs, ours / theirs,
		100.0 * (double)found / ((double)QUERIES * ROUNDS),
		100.0 * (double)known / ((double)QUERIES * ROUNDS));
}

static void contend_for(struct contest *contest, const char *what, uint64_t from, uint64_t below)
{
	char hot[32];
	struct dns_name *queries = make_queries(from, below);
	contest->queries = queries;
	contest->count = QUERIES;
	contend(contest, what);
	snprintf(hot, sizeof hot, "%s, hot", what);
	contest->count = HOT;
	contend(contest, hot);
	free(queries);
}

static struct image *open_bytes(struct slice bytes)
{
	const char *why;
	struct image *image = image_open(bytes, &why);
	must(image);
	return image;
}

/* Opens it from a file that is in memory, as a start does. */
static void measure_open(const struct image *image)
{
	struct slice bytes = image_bytes(image);
	int file = memfd_create("image", 0);
	must(file >= 0 && ftruncate(file, (off_t)bytes.len) == 0);
	for (size_t done = 0; done < bytes.len;) {
		ssize_t wrote = write(file, bytes.at + done, bytes.len - done);
		must(wrote > 0);
		done += (size_t)wrote;
	}
	double best = 1e9;
	for (unsigned i = 0; i < REPEATS; i++) {
		double start = now_s();
		void *at = mmap(NULL, bytes.len, PROT_READ, MAP_SHARED, file, 0);
		must(at != MAP_FAILED);
		struct image *mapped = open_bytes(slice_of(at, bytes.len));
		double took = now_s() - start;
		best = took < best ? took : best;
		image_close(mapped);
		munmap(at, bytes.len);
	}
	close(file);
	printf("  opened from a mapped file in %.1f ms\n", best * 1e3);
}

static struct image_builder *builder_of(uint64_t salt)
{
	struct image_builder *builder = image_builder_new(salt);
	must(builder);
	return builder;
}

static struct image *measure_text(size_t count, const char *front, enum list_format format)
{
	struct slice text = make_text(0, count, front);
	struct image_builder *builder = builder_of(7);
	struct slice bytes;
	double start = now_s();
	must(image_add_list(builder, "one", format) == 0);
	must(image_add_text(builder, text, NULL, NULL) == 0);
	double read = now_s();
	must(image_build(builder, &bytes, NULL, NULL) == 0);
	double built = now_s();
	struct image *image = open_bytes(bytes);
	printf("  %-8s read %.3f s, build %.3f s: %.3f s a million lines; %.2f hot bytes a name, "
	       "%.1f of all\n",
		list_format_name(format), read - start, built - read,
		(built - start) * 1e6 / (double)count,
		(double)image_hot_len(image) / (double)image_name_count(image),
		(double)bytes.len / (double)image_name_count(image));
	image_builder_free(builder);
	drop_text(text);
	return image;
}

/* One small list changed, all else stays. */
static void measure_change(const struct image *image, uint64_t salt, const char *what)
{
	struct slice text = make_text(UINT64_C(1) << 40, SMALL, "");
	struct image_builder *builder = builder_of(salt);
	struct slice bytes;
	double start = now_s();
	must(image_take_list(builder, image, 0) == 0);
	must(image_add_list(builder, "small", LIST_WILDCARD) == 0);
	must(image_add_text(builder, text, NULL, NULL) == 0);
	must(image_build(builder, &bytes, NULL, NULL) == 0);
	printf("  a change of %d lines beside them, %s: %.3f s\n", SMALL, what, now_s() - start);
	image_builder_free(builder);
	drop_text(text);
	free((void *)(uintptr_t)bytes.at);
}

static void drop_image(struct image *image)
{
	struct slice bytes = image_bytes(image);
	image_close(image);
	free((void *)(uintptr_t)bytes.at);
}

static void measure(size_t count)
{
	struct rusage usage;
	printf("%zu names\n", count);
	struct image *image = measure_text(count, "", LIST_WILDCARD);
	getrusage(RUSAGE_SELF, &usage);
	printf("  memory at its most, text included: %ld MiB\n", usage.ru_maxrss / 1024);
	drop_image(measure_text(count, "0.0.0.0 ", LIST_HOSTS));
	printf("  false hits of a name with ten labels: %.1e\n", image_false_hit(image, 10));
	measure_open(image);
	measure_change(image, 7, "same salt");
	measure_change(image, 8, "another salt");
	struct contest contest = { .image = image, .least = floor_of(image) };
	contend_for(&contest, "absent", count, count);
	contend_for(&contest, "present", 0, count);
	free(contest.least.filter);
	free(contest.least.buckets);
	drop_image(image);
}

static void measure_apart(size_t count)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		measure(count);
		fflush(stdout);
		_exit(0);
	}
	int status;
	must(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
	static const size_t usual[] = { 100 * 1000, 1000 * 1000, 10 * 1000 * 1000 };
	for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof *usual; i++)
		measure_apart(usual[i]);
	for (int i = 1; i < argc; i++)
		measure_apart(strtoul(argv[i], NULL, 10));
	return 0;
}
