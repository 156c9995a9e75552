/* worker.c - a worker in this process: 1,000 names in its cache, 20,000 on a list, 20 views; and
 * whole queries over UDP, as one turn of the loop takes them in. Clock and chance stand still. */
#include "bench/micro/micro.h"

#include <sys/random.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "dns/packed.h"
#include "proxy/cache/cache.h"
#include "tests/unit/worker_fixture.h"

enum { CACHED = 1000, LISTED = 20000, VIEWS = 20, BATCH = 32, QUESTIONS = 64, NAME_TEXT = 64 };

/* ---- time and chance ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){ .tv_sec = 1000000 };
	return 0;
}

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
	static uint64_t chance;
	(void)flags;
	for (size_t i = 0; i < size; i++) {
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)to)[i] = (uint8_t)(chance >> 56);
	}
	return (ssize_t)size;
}

/* ---- what there is ---- */

static struct worker *worker;
static struct snapshot *snapshot;
static struct cache *cache;
static struct metrics_registry *labels;
static int client;
static volatile size_t sink;

static const char *cached_text(unsigned i, char text[NAME_TEXT])
{
	snprintf(text, NAME_TEXT, "host%u.cached.example", 1000 + i % CACHED);
	return text;
}

static const char *listed_text(unsigned i, char text[NAME_TEXT])
{
	snprintf(text, NAME_TEXT, "www.name%u.listed.example", 10000 + i % LISTED);
	return text;
}

static struct slice wire_name(const char *text, struct dns_name *name)
{
	FIXTURE_CHECK(dns_name_from_text(name, slice_of_text(text)));
	return dns_name_slice(name);
}

static void write_list(const struct fixture_directory *directory)
{
	static char text[LISTED * NAME_TEXT];
	char name[NAME_TEXT];
	size_t len = 0;
	for (unsigned i = 0; i < LISTED; i++)
		len += (size_t)sprintf(text + len, "%s\n", listed_text(i, name) + 4);
	fixture_write(directory, "names.txt", text, len);
}

static void write_config(const struct fixture_directory *directory, uint16_t port)
{
	char text[8192];
	int len = snprintf(text, sizeof text,
		"workers = 1;\n"
		"state_directory = \"\";\n"
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = %u; } );\n"
		"upstreams = ( { name = \"up\"; address = \"127.0.0.1\"; port = 9; } );\n"
		"domain_lists = ( { name = \"names\"; file = \"names.txt\"; "
		"format = \"wildcard\"; } );\n"
		"rule_groups = ( { name = \"base\"; rules = ( { name = \"names\"; priority = 1; "
		"action = \"BLOCK\"; block_response = \"NXDOMAIN\"; "
		"domain_list = \"names\"; } ); } );\n"
		"views = (\n",
		port);
	for (unsigned i = 0; i < VIEWS - 1; i++)
		len += snprintf(text + len, sizeof text - (size_t)len,
			"  { name = \"v%u\"; clients = [ \"10.%u.0.0/16\" ]; },\n", i, i);
	len += snprintf(text + len, sizeof text - (size_t)len,
		"  { name = \"all\"; clients = [ \"127.0.0.0/8\" ];\n"
		"    associations = ( { rule_group = \"base\"; priority = 101; } ); } );\n");
	fixture_write(directory, "namegate.conf", text, (size_t)len);
}

static void load(uint16_t port)
{
	char path[128];
	struct config_errors errors = { 0 };
	const struct fixture_directory directory = fixture_directory_make();
	const struct snapshot_parts parts = { .labels = labels };
	write_list(&directory);
	write_config(&directory, port);
	config_errors_to_stderr(&errors);
	snapshot = snapshot_load(fixture_path(&directory, "namegate.conf", path), &parts, &errors);
	FIXTURE_CHECK(snapshot);
	fixture_remove(&directory);
}

static struct cache_key key_of(struct slice name)
{
	return (struct cache_key){ .name = name,
		.type = DNS_TYPE_A,
		.class = DNS_CLASS_IN,
		.group = snapshot->config->upstream_groups[0].identity };
}

static void fill_cache(void)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S };
	static uint8_t buffer[DNS_PACKED_MAX];
	for (unsigned i = 0; i < CACHED; i++) {
		char text[NAME_TEXT];
		uint8_t message[512];
		struct dns_name name;
		struct dns_answer answer;
		size_t len = fixture_query(message, 0, cached_text(i, text));
		memcpy(message + len, "\xc0\xc\0\1\0\1\0\0\16\20\0\4\300\0\2\1", 16);
		message[2] = 0x81;
		message[3] = 0x80;
		message[7] = 1;
		FIXTURE_CHECK(dns_answer_open(&answer, slice_of(message, len + 16)) == 0);
		const struct cache_key key = key_of(wire_name(text, &name));
		cache_put(cache, &key, dns_packed_write(&answer, &ttls, buffer, sizeof buffer),
			3600, worker_cache_now_s(worker));
	}
}

struct question {
	uint8_t bytes[128];
	size_t len;
};

static struct question cached_questions[QUESTIONS];
static struct question listed_questions[QUESTIONS];

static void make_question(struct question *question, const char *text)
{
	static const uint8_t opt[] = { 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 };
	uint8_t message[512];
	size_t len = fixture_query(message, 1, text);
	memcpy(message + len, opt, sizeof opt);
	message[11] = 1;
	question->len = len + sizeof opt;
	memcpy(question->bytes, message, question->len);
}

static void make_questions(void)
{
	char text[NAME_TEXT];
	for (unsigned i = 0; i < QUESTIONS; i++) {
		make_question(&cached_questions[i], cached_text(i * 7, text));
		make_question(&listed_questions[i], listed_text(i * 7, text));
	}
}

void micro_worker_begin(void)
{
	const struct cache_settings settings = { .size = 4 * CACHE_SIZE_MIN };
	uint16_t port = fixture_free_port();
	int error;
	log_set_level(LOG_ERROR);
	upstream_start();
	labels = metrics_registry_new();
	cache = cache_new(&settings);
	load(port);
	const struct worker_parts parts = {
		.snapshot = snapshot, .metrics = metrics_new(labels), .cache = cache
	};
	worker = worker_new(&parts, &error);
	FIXTURE_CHECK(worker && listeners_open(worker, snapshot->config) == 0);
	fill_cache();
	make_questions();
	client = fixture_connect("127.0.0.1", port, SOCK_DGRAM);
}

/* The rest goes with the process. */
void micro_worker_end(void)
{
	snapshot_unref(snapshot);
	close(client);
}

/* ---- its parts ---- */

static void find_view(unsigned count)
{
	struct claims claims = { .client = address_of_v4((const uint8_t[]){ 127, 0, 0, 1 }) };
	while (count-- > 0)
		sink += policy_find_view(snapshot->policy, &claims).view;
}

static void judge(const char *text, unsigned count)
{
	struct dns_name name;
	struct verdict verdict;
	const struct facts facts = { .view = VIEWS - 1,
		.query_type = DNS_TYPE_A,
		.is_datagram = true,
		.name = wire_name(text, &name) };
	while (count-- > 0) {
		policy_judge_query(snapshot->policy, &facts, &verdict, NULL);
		sink += verdict.action;
	}
}

static void judge_absent(unsigned count)
{
	judge("www.cached.example", count);
}

static void judge_listed(unsigned count)
{
	judge("www.name12345.listed.example", count);
}

static void find(const char *text, unsigned count)
{
	struct dns_name name;
	struct cache_hit hit;
	const struct cache_key key = key_of(wire_name(text, &name));
	while (count-- > 0) {
		cache_find(cache, &key, worker_cache_now_s(worker), worker->cache_buffer, &hit);
		sink += hit.value.len;
	}
}

static void find_kept(unsigned count)
{
	find("host1234.cached.example", count);
}

static void find_nothing(unsigned count)
{
	find("host1.missing.example", count);
}

/* ---- all of it ---- */

/* What the client does to send and to receive is counted as well: some fifty instructions. */
static void turns(const struct question *questions, unsigned batch, unsigned count)
{
	uint8_t answer[DNS_PAYLOAD_SIZE];
	for (unsigned done = 0; done < count; done += batch) {
		for (unsigned i = 0; i < batch; i++) {
			const struct question *question = &questions[(done + i) % QUESTIONS];
			send(client, question->bytes, question->len, 0);
		}
		uv_run(&worker->loop, UV_RUN_NOWAIT);
		for (unsigned i = 0; i < batch; i++)
			if (recv(client, answer, sizeof answer, MSG_DONTWAIT) < DNS_HEADER_LEN)
				abort();
	}
}

static void turns_cached_alone(unsigned count)
{
	turns(cached_questions, 1, count);
}

static void turns_cached(unsigned count)
{
	turns(cached_questions, BATCH, count);
}

static void turns_blocked_alone(unsigned count)
{
	turns(listed_questions, 1, count);
}

static void turns_blocked(unsigned count)
{
	turns(listed_questions, BATCH, count);
}

const struct micro_operation micro_worker_operations[] = {
	{ "view of a client", find_view },
	{ "verdict, not listed", judge_absent },
	{ "verdict, listed", judge_listed },
	{ "cache, hit", find_kept },
	{ "cache, miss", find_nothing },
	{ "UDP, cached, alone in its turn", turns_cached_alone },
	{ "UDP, cached, 32 in a turn", turns_cached },
	{ "UDP, blocked, alone in its turn", turns_blocked_alone },
	{ "UDP, blocked, 32 in a turn", turns_blocked },
	{ NULL, NULL },
};
