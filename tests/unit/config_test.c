/* The configuration: what loads and what it then says, every error with its place, and the
 * reference that promises it all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dns/answer.h"
#include "dns/types.h"
#include "proxy/config/builtin.h"
#include "proxy/config/problem.h"
#include "proxy/config/schema.h"
#include "proxy/config/source.h"
#include "proxy/query/special.h"
#include "rules/policy.h"

#define VECTORS   TEST_VECTORS "/config/"
#define REFERENCE TEST_VECTORS "/../../docs/config.md"

#define MINIMAL                                                                                    \
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"                        \
	"views = ( { name = \"all\"; } );"

/* Errors as lines of text. */
struct told {
	struct config_errors errors;
	const char *file; /* not repeated in front of each line */
	char text[256 * 1024];
	size_t len;
};

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct told *told = context;
	char place[512] = "", number[16] = "";
	if (strcmp(file, told->file) != 0)
		snprintf(place, sizeof place, "%s:", file);
	if (line)
		snprintf(number, sizeof number, "%u:", line);
	int len = snprintf(told->text + told->len, sizeof told->text - told->len, "%s%s%s%s%s %s\n",
		place, number, *path ? " " : "", path, *path ? ":" : "", message);
	told->len += (size_t)len;
	assert_true(told->len < sizeof told->text);
}

static struct told *told_for(const char *file)
{
	static struct told told;
	memset(&told, 0, sizeof told);
	told.errors = (struct config_errors){ .on_error = on_error, .context = &told };
	told.file = file;
	return &told;
}

static struct config *load_good(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, VECTORS "%s", name);
	struct told *told = told_for(name);
	struct config *config = config_load(path, &told->errors);
	assert_string_equal(told->text, "");
	assert_non_null(config);
	return config;
}

static struct config *load_text(const char *text, struct told **told)
{
	*told = told_for("test.conf");
	return config_load_text("test.conf", slice_of_text(text), &(*told)->errors);
}

static struct config *load_good_text(const char *text)
{
	struct told *told;
	struct config *config = load_text(text, &told);
	assert_string_equal(told->text, "");
	assert_non_null(config);
	return config;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *text = calloc(1, 1024 * 1024);
	assert_non_null(text);
	assert_true(fread(text, 1, 1024 * 1024 - 1, file) > 0);
	fclose(file);
	return text;
}

/* The lines of a vector behind "# expect:". */
static void read_expectations(const char *path, char *expected, size_t size)
{
	static const char mark[] = "# expect: ";
	char *text = read_file(path);
	size_t len = 0;
	expected[0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, mark, strlen(mark)) == 0)
			len += (size_t)snprintf(
				expected + len, size - len, "%s\n", line + strlen(mark));
	assert_true(len < size);
	free(text);
}

static bool check_vector(const char *name)
{
	static char expected[64 * 1024];
	struct told *told = told_for(name);
	read_expectations(name, expected, sizeof expected);
	struct config *config = config_load(name, &told->errors);
	bool fine = strcmp(told->text, expected) == 0 && (config != NULL) == (*expected == '\0');
	if (!fine)
		print_error("%s:\n--- expected\n%s--- told\n%s", name, expected, told->text);
	config_free(config);
	return fine;
}

static void test_every_vector_tells_what_it_expects(void **state)
{
	(void)state;
	assert_int_equal(chdir(VECTORS), 0);
	DIR *directory = opendir(".");
	unsigned count = 0, wrong = 0;
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));) {
		const char *dot = strrchr(entry->d_name, '.');
		if (!dot || strcmp(dot, ".conf") != 0)
			continue;
		count++;
		wrong += !check_vector(entry->d_name);
	}
	closedir(directory);
	assert_int_equal(wrong, 0);
	assert_true(count >= 30);
}

static void assert_address(const struct address *address, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];
	address_text(address, text);
	assert_string_equal(text, expected);
}

static void assert_name(const struct dns_name *name, const char *expected)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(dns_name_text(dns_name_slice(name), text), expected);
}

static void assert_slice(struct slice slice, const char *expected)
{
	assert_int_equal(slice.len, strlen(expected));
	assert_memory_equal(slice.at, expected, slice.len);
}

static void assert_listener(const struct listener_config *listener, const char *name,
	enum listener_kind kind, const char *address, uint16_t port, const char *path)
{
	assert_string_equal(listener->name, name);
	assert_int_equal(listener->kind, kind);
	assert_address(&listener->address, address);
	assert_int_equal(listener->port, port);
	if (path)
		assert_string_equal(listener->path, path);
	else
		assert_null(listener->path);
}

static void assert_network(const struct network *network, const char *address, unsigned prefix_len)
{
	assert_address(&network->address, address);
	assert_int_equal(network->prefix_len, prefix_len);
}

static void check_sample_rules(const struct rule_group_spec *group)
{
	assert_string_equal(group->name, "baseline");
	assert_int_equal(group->rule_count, 3);
	const struct rule_spec *rules = group->rules;
	assert_string_equal(rules[0].name, "ours-first");
	assert_int_equal(rules[0].priority, 10);
	assert_int_equal(rules[0].action, ACTION_ALLOW);
	assert_int_equal(rules[0].list, 0);
	assert_int_equal(rules[0].query_type, 0);
	assert_int_equal(rules[0].redirection, REDIRECTION_TRUST);
	assert_string_equal(rules[1].name, "explain-it");
	assert_int_equal(rules[1].action, ACTION_BLOCK);
	assert_int_equal(rules[1].block_response, BLOCK_OVERRIDE);
	assert_name(&rules[1].override_domain, "blocked.corp.example.");
	assert_int_equal(rules[1].override_ttl_s, 60);
	assert_int_equal(rules[1].list, 1);
	assert_int_equal(rules[1].query_type, DNS_TYPE_A);
	assert_int_equal(rules[1].redirection, REDIRECTION_INSPECT);
	assert_string_equal(rules[2].name, "no-malware");
	assert_int_equal(rules[2].priority, 100);
	assert_int_equal(rules[2].block_response, BLOCK_NXDOMAIN);
	assert_int_equal(rules[2].override_domain.len, 0);
	assert_int_equal(rules[2].override_ttl_s, 0);
	assert_int_equal(rules[2].address_count, 0);
}

static void check_sample_policy(const struct policy_spec *policy)
{
	assert_int_equal(policy->list_count, 2);
	assert_string_equal(policy->lists[0].name, "ours");
	assert_int_equal(policy->lists[0].format, LIST_DOMAINS);
	assert_null(policy->lists[0].file);
	assert_slice(policy->lists[0].inline_text, "*.corp.example\ncorp.example\n");
	assert_string_equal(policy->lists[1].name, "malware");
	assert_int_equal(policy->lists[1].format, LIST_HOSTS);
	assert_string_equal(policy->lists[1].file, VECTORS "lists/malware.hosts");
	assert_int_equal(policy->group_count, 1);
	check_sample_rules(&policy->groups[0]);
	assert_int_equal(policy->view_count, 1);
	const struct view_spec *view = &policy->views[0];
	assert_string_equal(view->name, "lan");
	assert_int_equal(view->client_count, 3);
	assert_network(&view->clients[0], "127.0.0.0", 96 + 8);
	assert_network(&view->clients[1], "10.0.0.0", 96 + 8);
	assert_network(&view->clients[2], "::1", 128);
	assert_int_equal(view->listener_count, 0);
	assert_int_equal(view->default_action, ACTION_ALLOW);
	assert_int_equal(view->default_block_response, BLOCK_NXDOMAIN);
	assert_int_equal(view->fail_mode, FAIL_CLOSED);
	assert_int_equal(view->association_count, 1);
	assert_int_equal(view->associations[0].group, 0);
	assert_int_equal(view->associations[0].priority, 101);
	assert_int_equal(policy->local_record_count, 0);
	assert_int_equal(policy->listener_count, 3);
}

static void test_the_sample_is_read_in_full(void **state)
{
	(void)state;
	struct config *config = load_good("sample.conf");
	assert_string_equal(config->file, VECTORS "sample.conf");
	assert_int_equal(config->workers, 0);
	assert_false(config->allow_open_resolver);
	assert_int_equal(config->listener_count, 3);
	assert_listener(
		&config->listeners[0], "doh-443", LISTENER_DOH, "0.0.0.0", 443, "/dns-query");
	assert_listener(&config->listeners[1], "dot-853", LISTENER_DOT, "0.0.0.0", 853, NULL);
	assert_listener(&config->listeners[2], "dns-53", LISTENER_DNS, "127.0.0.1", 53, NULL);
	assert_string_equal(config->tls_certificates[0].certificate, VECTORS "server.pem");
	assert_string_equal(config->tls_certificates[0].key, VECTORS "server.key");
	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->upstreams[0].name, "quad9");
	assert_address(&config->upstreams[0].address, "9.9.9.9");
	assert_int_equal(config->upstreams[0].port, 53);
	assert_string_equal(config->upstreams[1].name, "lan");
	assert_address(&config->upstreams[1].address, "192.0.2.1");
	check_sample_policy(&config->policy);
	assert_string_equal(config->query_log.file, VECTORS "query.jsonl");
	assert_int_equal(config->query_log.format, QUERY_LOG_NAMEGATE);
	assert_string_equal(config->query_log.account_id, "local");
	assert_string_equal(config->query_log.region, "local");
	assert_int_equal(config->query_log.buffer_bytes, 1024 * 1024);
	assert_address(&config->admin_address, "127.0.0.1");
	assert_int_equal(config->admin_port, 9053);
	assert_string_equal(config->control_socket, VECTORS "run/control.sock");
	assert_string_equal(config->state_directory, VECTORS "state");
	config_free(config);
}

static void test_what_is_left_out_has_its_default(void **state)
{
	(void)state;
	struct config *config = load_good_text(MINIMAL);
	assert_string_equal(config->directory, ".");
	assert_int_equal(config->upstream_count, 0);
	assert_int_equal(config->upstream_group_count, 0);
	assert_int_equal(config->view_groups[0], 0);
	assert_int_equal(config->route_count, 0);
	for (int i = 0; i < SPECIAL_NAMES; i++)
		assert_int_equal(config->special_names[i], i != SPECIAL_CANARY);
	assert_false(config->ddr);
	assert_true(config->dns_cookies.enabled);
	assert_null(config->dns_cookies.secret_file);
	assert_int_equal(config->udp_rate_limit.limit.per_second, 0);
	assert_int_equal(config->udp_rate_limit.exempt_count, 2);
	assert_network(&config->udp_rate_limit.exempt[0], "127.0.0.0", 104);
	assert_network(&config->udp_rate_limit.exempt[1], "::1", 128);
	assert_int_equal(config->any_queries, ANY_MINIMAL);
	assert_int_equal(config->cache.size, 64 * 1024 * 1024);
	assert_null(config->cache.file);
	assert_int_equal(config->cache.min_ttl_s, 0);
	assert_int_equal(config->cache.max_ttl_s, 86400);
	assert_int_equal(config->cache.negative_max_ttl_s, 3600);
	assert_int_equal(config->cache.stale_s, 86400);
	assert_int_equal(config->cache.stale_after_ms, 1800);
	assert_true(config->cache.prefetch);
	assert_int_equal(config->policy.rebinding_exception_count, 0);
	assert_int_equal(config->tls_certificate_count, 0);
	assert_null(config->query_log.file);
	assert_int_equal(config->admin_port, 0);
	assert_null(config->control_socket);
	assert_string_equal(config->state_directory, "");
	assert_null(config->user);
	assert_null(config->group);
	assert_true(config->hardening.seccomp);
	assert_true(config->hardening.landlock);
	assert_true(config->hardening.no_core);
	assert_null(config->lists_image);
	assert_int_equal(config->limits.connections, 0);
	assert_int_equal(config->limits.connections_per_address, 256);
	assert_int_equal(config->limits.connections_per_prefix, 0);
	assert_int_equal(config->limits.prefix_v4, 24);
	assert_int_equal(config->limits.prefix_v6, 48);
	assert_int_equal(config->limits.handshakes_per_address, 256);
	assert_int_equal(config->limits.pressure, 90);
	assert_int_equal(config->limits.queued_bytes, 64 * 1024 * 1024);
	assert_int_equal(config->limits.queries, 4096);
	assert_int_equal(config->limits.queries_per_connection, 100);
	assert_int_equal(config->limits.queries_per_client, 1024);
	assert_int_equal(config->views[0].max_queries, 0);
	assert_int_equal(config->limits.handshake_timeout_ms, 5000);
	assert_int_equal(config->limits.request_timeout_ms, 5000);
	assert_int_equal(config->limits.idle_timeout_ms, 30000);
	const struct view_spec *view = &config->policy.views[0];
	assert_int_equal(view->client_count, 0);
	assert_int_equal(view->default_action, ACTION_ALLOW);
	assert_int_equal(view->default_block_response, BLOCK_NODATA);
	assert_int_equal(view->fail_mode, FAIL_CLOSED);
	assert_int_equal(view->association_count, 0);
	assert_false(view->rebinding_protection);
	assert_int_equal(view->svcb, SVCB_PASS);
	assert_int_equal(view->certificate_count, 0);
	assert_int_equal(view->token_count, 0);
	const struct view_config *conduct = &config->views[0];
	assert_int_equal(conduct->rate_limit.per_second, 0);
	assert_int_equal(conduct->log_clients, LOG_CLIENTS_FULL);
	assert_int_equal(conduct->on_failure[FAILURE_LISTS_NOT_READY], ON_FAILURE_LAST_GOOD);
	assert_int_equal(conduct->on_failure[FAILURE_UPSTREAMS_DOWN], ON_FAILURE_STALE);
	assert_int_equal(conduct->on_failure[FAILURE_LOG_BLOCKED], ON_FAILURE_OPEN);
	assert_int_equal(conduct->on_failure[FAILURE_OVER_CAPACITY], ON_FAILURE_STALE);
	assert_null(config->tls_client_ca);
	assert_int_equal(config->client_certificates, CLIENT_CERTIFICATES_NONE);
	assert_null(config->shadow.file);
	assert_int_equal(config->revisions, 20);
	config_free(config);
}

static void check_every_rule(const struct rule_group_spec *group)
{
	assert_int_equal(group->rule_count, 6);
	assert_int_equal(group->rules[0].action, ACTION_ALLOW);
	assert_int_equal(group->rules[0].redirection, REDIRECTION_TRUST);
	assert_int_equal(group->rules[1].action, ACTION_MONITOR);
	assert_int_equal(group->rules[1].query_type, DNS_TYPE_HTTPS);
	assert_int_equal(group->rules[1].list, 3);
	assert_int_equal(group->rules[0].schedule, 0);
	assert_int_equal(group->rules[1].schedule, 2);
	assert_int_equal(group->rules[2].action, ACTION_ALERT);
	assert_int_equal(group->rules[2].query_type, DNS_TYPE_AAAA);
	assert_int_equal(group->rules[2].redirection, REDIRECTION_INSPECT);
	const struct rule_spec *page = &group->rules[3];
	assert_string_equal(page->name, "own page");
	assert_int_equal(page->priority, 2147483647);
	assert_int_equal(page->block_response, BLOCK_ADDRESS);
	assert_int_equal(page->address_count, 2);
	assert_address(&page->addresses[0], "192.0.2.1");
	assert_address(&page->addresses[1], "2001:db8::1");
	assert_int_equal(group->rules[4].action, ACTION_GIVEN);
	assert_int_equal(group->rules[4].block_response, BLOCK_NXDOMAIN);
	assert_int_equal(group->rules[5].action, ACTION_GIVEN);
	assert_int_equal(group->rules[5].block_response, BLOCK_OVERRIDE);
	assert_int_not_equal(group->rules[5].override_domain.len, 0);
}

/* Berlin's clock was one hour ahead in January of 2026, and two in July. */
static void check_every_schedule(const struct policy_spec *policy)
{
	const struct schedule_spec *schedules = policy->schedules;
	assert_int_equal(policy->schedule_count, 3);
	assert_string_equal(schedules[0].name, "always");
	assert_int_equal(schedules[0].days, 0x7f);
	assert_int_equal(schedules[0].hours_count, 0);
	assert_null(schedules[0].zone_name);
	assert_null(schedules[0].zone);
	assert_int_equal(schedules[1].days, 0x01 | 0x04 | 0x10 | 0x20 | 0x40);
	assert_int_equal(schedules[1].hours_count, 3);
	assert_int_equal(schedules[1].hours[0].from_min, 22 * 60);
	assert_int_equal(schedules[1].hours[0].to_min, 6 * 60);
	assert_int_equal(schedules[1].hours[1].from_min, 12 * 60 + 30);
	assert_int_equal(schedules[1].hours[1].to_min, 24 * 60);
	assert_int_equal(schedules[1].hours[2].to_min, 24 * 60);
	assert_string_equal(schedules[1].zone_name, "Europe/Berlin");
	assert_int_equal(zone_offset_s(schedules[1].zone, 1767225600), 3600);
	assert_int_equal(zone_offset_s(schedules[1].zone, 1782864000), 7200);
	assert_int_equal(schedules[2].days, 0x7f);
	assert_null(schedules[2].zone);
}

static void check_every_expectation(const struct config *config)
{
	const struct expect_config *expects = config->expects;
	assert_int_equal(config->expect_count, 4);
	assert_string_equal(expects[0].title, "a title");
	assert_int_equal(expects[0].view, 0);
	assert_int_equal(expects[0].listener, 0);
	assert_name(&expects[0].question, "A.example.");
	assert_int_equal(expects[0].type, DNS_TYPE_A);
	assert_int_equal(expects[0].answer.len, 0);
	assert_int_equal(expects[0].now_s, 0);
	assert_int_equal(expects[0].verdict, ACTION_ALERT);
	assert_int_equal(expects[0].block_response, -1);
	assert_null(expects[0].rule);
	assert_string_equal(expects[0].file, VECTORS "every_key.conf");
	assert_null(expects[1].title);
	assert_int_equal(expects[1].view, POLICY_NO_ID);
	assert_address(&expects[1].client, "10.0.0.7");
	assert_int_equal(expects[1].listener, 3);
	assert_int_equal(expects[1].type, DNS_TYPE_AAAA);
	assert_int_not_equal(expects[1].answer.len, 0);
	assert_int_equal(expects[1].now_s, 1795341600);
	assert_int_equal(expects[1].verdict, ACTION_BLOCK);
	assert_int_equal(expects[1].block_response, BLOCK_NODATA);
	assert_string_equal(expects[1].rule, "one/own page");
	assert_int_equal(expects[1].line, expects[0].line + 1);
	assert_int_equal(expects[2].view, 2);
	assert_int_equal(expects[2].listener, 1); /* the view's first */
	assert_string_equal(expects[3].rule, "none");
}

static void check_every_record(const struct policy_spec *policy)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint32_t ttl_s;
		struct {
			const char *at;
			size_t len;
		} rdata;
	} expected[] = {
		{ "nas.home.example.", DNS_TYPE_A, 300, { "\xc0\xa8\x01\x05", 4 } },
		{ "nas.home.example.", DNS_TYPE_AAAA, 3600,
			{ "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05", 16 } },
		{ "files.home.example.", DNS_TYPE_CNAME, 300, { "\3nas\4home\7example", 18 } },
		{ "5.1.168.192.in-addr.arpa.", DNS_TYPE_PTR, 300, { "\3nas\4home\7example", 18 } },
		{ "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
			DNS_TYPE_PTR, 300, { "\3nas\4home\7example", 18 } },
		{ "nas.home.example.", DNS_TYPE_TXT, 0, { "\x09two words", 10 } },
	};
	assert_int_equal(policy->local_record_count, sizeof expected / sizeof expected[0]);
	for (size_t i = 0; i < policy->local_record_count; i++) {
		const struct local_record_spec *record = &policy->local_records[i];
		assert_name(&record->name, expected[i].name);
		assert_int_equal(record->type, expected[i].type);
		assert_int_equal(record->ttl_s, expected[i].ttl_s);
		assert_int_equal(record->rdata.len, expected[i].rdata.len);
		assert_memory_equal(record->rdata.at, expected[i].rdata.at, record->rdata.len);
	}
}

static void check_every_file(const struct config *config)
{
	const struct list_source *sources = config->list_sources;
	assert_int_equal(config->policy.list_count, 9); /* with the one that is built in */
	assert_null(sources[0].url);
	assert_int_equal(sources[0].max_size, 0);
	assert_int_equal(sources[0].guards.max_rejected_percent, 0);
	assert_int_equal(sources[3].max_size, 256 * 1024 * 1024);
	assert_int_equal(sources[3].guards.min_entries, 0);
	assert_int_equal(sources[3].guards.max_shrink_percent, 0);
	assert_int_equal(sources[3].guards.max_growth_percent, 0);
	assert_int_equal(sources[3].guards.max_rejected_percent, 50);
	assert_null(sources[3].guards.sha256);
	assert_int_equal(config->policy.lists[4].format, LIST_AUTO);
	assert_string_equal(config->policy.lists[4].file, VECTORS "lists/own.gz");
	const struct list_guards *guards = &sources[4].guards;
	assert_null(sources[4].url);
	assert_int_equal(sources[4].max_size, 1024 * 1024 * 1024);
	assert_int_equal(sources[4].line, sources[3].line + 1);
	assert_int_equal(guards->min_entries, 10);
	assert_int_equal(guards->max_shrink_percent, 20);
	assert_int_equal(guards->max_growth_percent, 300);
	assert_int_equal(guards->max_rejected_percent, 1);
	assert_int_equal(guards->must_contain_count, 1);
	assert_name(&guards->must_contain[0], "bad.example.");
	assert_int_equal(guards->must_not_contain_count, 2);
	assert_name(&guards->must_not_contain[1], "a\\046b.example.");
	assert_string_equal(
		guards->sha256, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
}

static void check_every_source(const struct config *config)
{
	const struct list_source *plain = &config->list_sources[5];
	const struct list_source *full = &config->list_sources[6];
	assert_null(config->policy.lists[5].file);
	assert_int_equal(config->policy.lists[5].inline_text.len, 0);
	assert_int_equal(config->policy.lists[5].format, LIST_AUTO);
	assert_string_equal(plain->url, "https://lists.example/hosts.txt");
	assert_int_equal(plain->refresh_s, 86400);
	assert_int_equal(plain->max_size, 256 * 1024 * 1024);
	assert_int_equal(plain->timeout_ms, 60000);
	assert_false(plain->allow_private);
	assert_null(plain->tls_ca);
	assert_int_equal(plain->guards.max_shrink_percent, 50);
	assert_int_equal(plain->guards.max_growth_percent, 1000);
	assert_int_equal(plain->guards.max_rejected_percent, 50);
	assert_int_equal(plain->guards.must_contain_count, 0);
	assert_null(plain->guards.minisign_key);
	assert_int_equal(config->policy.lists[6].format, LIST_HOSTS);
	assert_string_equal(full->url, "HTTPS://[2001:db8::1]:8443/a%20list?key=1&x=(2)");
	assert_int_equal(full->refresh_s, 60);
	assert_int_equal(full->max_size, 65536);
	assert_int_equal(full->timeout_ms, 5000);
	assert_true(full->allow_private);
	assert_string_equal(full->tls_ca, VECTORS "lists/ca.pem");
	assert_int_equal(full->guards.max_shrink_percent, 100);
	assert_int_equal(full->guards.max_growth_percent, 1000000);
	assert_string_equal(full->guards.minisign_key,
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
	/* What is built in has a row, too. */
	assert_string_equal(config->policy.lists[8].name, builtin_client_health);
	assert_null(config->list_sources[8].url);
	assert_int_equal(config->list_sources[8].max_size, 0);
	assert_string_equal(config->lists_image, VECTORS "lists/all.image");
}

static void check_every_view(const struct policy_spec *policy)
{
	const struct view_spec *home = &policy->views[0];
	assert_int_equal(policy->view_count, 4);
	assert_network(&home->clients[2], "192.0.2.77", 128);
	assert_int_equal(home->listener_count, 2);
	assert_int_equal(home->listeners[0], 0);
	assert_int_equal(home->listeners[1], 2);
	assert_int_equal(home->default_action, ACTION_BLOCK);
	assert_int_equal(home->default_block_response, BLOCK_DROP);
	assert_int_equal(home->fail_mode, FAIL_OPEN);
	assert_int_equal(home->association_count, 2);
	assert_int_equal(home->associations[0].group, 1);
	assert_int_equal(home->associations[1].group, 0);
	assert_int_equal(home->associations[1].priority, 5);
}

static void assert_texts(
	const char *const *texts, size_t count, const char *const *expected, size_t expected_count)
{
	assert_int_equal(count, expected_count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(texts[i], expected[i]);
}

#define ASSERT_TEXTS(texts, count, ...)                                                            \
	assert_texts(texts, count, (const char *const[]){ __VA_ARGS__ },                           \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void check_every_identity(const struct config *config)
{
	const struct policy_spec *policy = &config->policy;
	const struct view_spec *home = &policy->views[0];
	static const uint8_t digest[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
		0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	assert_int_equal(policy->token_count, 3);
	assert_string_equal(policy->tokens[0].name, "tablet");
	assert_memory_equal(policy->tokens[0].sha256, digest, sizeof digest);
	assert_memory_equal(policy->tokens[0].sha256 + 16, digest, sizeof digest);
	assert_int_equal(policy->tokens[0].until_s, 0);
	assert_int_equal(policy->tokens[1].until_s, 1803859200);
	assert_int_equal(policy->tokens[2].until_s, 1803859200 + 12 * 3600);
	ASSERT_TEXTS(home->certificates, home->certificate_count, "uri:spiffe://corp.example/*",
		"dns:*.corp.example", "email:*@corp.example", "email:Anna@corp.example",
		"cn:Anna M",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "dns:*",
		"*");
	assert_int_equal(home->token_count, 2);
	assert_int_equal(home->tokens[0], 0);
	assert_int_equal(home->tokens[1], 2);
	ASSERT_TEXTS(home->paths, home->path_count, "kids", "a-b.c_d~1");
	ASSERT_TEXTS(home->tls_names, home->tls_name_count, "kids.dns.example", "*.dns.example");
	assert_string_equal(config->tls_client_ca, VECTORS "clients.pem");
	assert_int_equal(config->client_certificates, CLIENT_CERTIFICATES_REQUIRED);
	const struct listener_config *listener = &config->listeners[0];
	assert_int_equal(listener->proxy_protocol_from_count, 2);
	assert_network(&listener->proxy_protocol_from[0], "10.9.0.0", 96 + 16);
	assert_int_equal(listener->forwarded_from_count, 1);
	assert_network(&listener->forwarded_from[0], "10.8.0.1", 128);
	assert_int_equal(config->listeners[1].proxy_protocol_from_count, 0);
}

/* Who answers strangers has a limit, whether he thought of it or not. */
static void test_limit_of_datagrams(void **state)
{
	(void)state;
	static const struct {
		const char *more;
		unsigned per_second;
		unsigned burst;
	} rows[] = {
		{ "", 0, 0 },
		{ "allow_open_resolver = true;", 500, 500 },
		{ "udp_rate_limit = { responses_per_second = 7; };", 7, 7 },
		{ "udp_rate_limit = { responses_per_second = 7; burst = 9; };"
		  "allow_open_resolver = true;",
			7, 9 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text, MINIMAL "%s", rows[i].more);
		struct config *config = load_good_text(text);
		assert_int_equal(config->udp_rate_limit.limit.per_second, rows[i].per_second);
		assert_int_equal(config->udp_rate_limit.limit.burst, rows[i].burst);
		assert_int_equal(config->udp_rate_limit.limit.prefix_v4, 24);
		assert_int_equal(config->udp_rate_limit.limit.prefix_v6, 56);
		assert_int_equal(config->udp_rate_limit.slip, 2);
		config_free(config);
	}
}

static void check_every_conduct(const struct config *config)
{
	const struct view_config *home = &config->views[0];
	assert_int_equal(home->rate_limit.per_second, 10);
	assert_int_equal(home->rate_limit.burst, 40);
	assert_int_equal(home->rate_limit.prefix_v4, 24);
	assert_int_equal(home->rate_limit.prefix_v6, 64);
	assert_true(home->rate_limit.dry_run);
	assert_int_equal(home->max_queries, 15);
	assert_int_equal(home->log_clients, LOG_CLIENTS_HASHED);
	assert_int_equal(home->on_failure[FAILURE_LISTS_NOT_READY], ON_FAILURE_OPEN);
	assert_int_equal(home->on_failure[FAILURE_UPSTREAMS_DOWN], ON_FAILURE_CLOSED);
	assert_int_equal(home->on_failure[FAILURE_LOG_BLOCKED], ON_FAILURE_CLOSED);
	assert_int_equal(home->on_failure[FAILURE_OVER_CAPACITY], ON_FAILURE_CLOSED);
	assert_int_equal(config->policy.views[0].svcb, SVCB_STRIP_ECH);
	assert_true(config->policy.views[0].associations[0].observe);
	assert_false(config->policy.views[0].associations[1].observe);
	const struct view_config *limited = &config->views[1];
	assert_int_equal(limited->rate_limit.per_second, 5);
	assert_int_equal(limited->rate_limit.burst, 5);
	assert_int_equal(limited->rate_limit.prefix_v4, 32);
	assert_int_equal(limited->rate_limit.prefix_v6, 56);
	assert_false(limited->rate_limit.dry_run);
	assert_int_equal(config->policy.views[1].fail_mode, FAIL_OPEN);
	assert_int_equal(config->views[3].rate_limit.per_second, 0);
	assert_string_equal(config->query_log.hash_key_file, VECTORS "log.key");
	assert_string_equal(config->shadow.file, VECTORS "candidate.conf");
	assert_int_equal(config->shadow.share, 5);
	assert_int_equal(config->shadow.view_count, 1);
	assert_int_equal(config->shadow.views[0], 3);
	assert_int_equal(config->revisions, 7);
}

static void check_every_upstream(const struct config *config)
{
	assert_int_equal(config->upstream_count, 5);
	const struct upstream_config *lan = &config->upstreams[0];
	assert_int_equal(lan->protocol, UPSTREAM_DNS);
	assert_address(&lan->address, "2001:db8::53");
	assert_int_equal(lan->address_count, 1);
	assert_address(&lan->addresses[0], "2001:db8::53");
	assert_int_equal(lan->port, 53);
	assert_int_equal(lan->weight, 1);
	assert_null(lan->tls_name);
	assert_null(lan->path);
	assert_null(lan->authority);
	assert_address(&config->upstreams[1].address, "192.0.2.53");
	assert_int_equal(config->upstreams[1].weight, 1000);
	const struct upstream_config *tls = &config->upstreams[2];
	assert_int_equal(tls->protocol, UPSTREAM_DOT);
	assert_int_equal(tls->port, 853);
	assert_int_equal(tls->address_count, 2);
	assert_address(&tls->address, "9.9.9.9");
	assert_address(&tls->addresses[1], "2620:fe::fe");
	assert_string_equal(tls->tls_name, "dns.quad9.net");
	assert_string_equal(tls->tls_ca, VECTORS "ca.pem");
	assert_null(tls->authority);
	assert_int_equal(tls->tls_pin_count, 2);
	for (uint8_t i = 0; i < 32; i++)
		assert_int_equal(tls->tls_pins[0].sha256[i], i);
	assert_int_equal(tls->tls_pins[1].sha256[0], 0x8d);
	const struct upstream_config *https = &config->upstreams[3];
	assert_int_equal(https->protocol, UPSTREAM_DOH);
	assert_int_equal(https->address_count, 0);
	assert_string_equal(https->host, "dns.example.net");
	assert_int_equal(https->bootstrap, 0);
	assert_string_equal(https->tls_name, "dns.example.net");
	assert_null(https->tls_ca);
	assert_string_equal(https->authority, "dns.example.net:8443");
	assert_string_equal(https->path, "/ask");
	assert_true(https->use_get);
	const struct upstream_config *alone = &config->upstreams[4];
	assert_int_equal(alone->port, 443);
	assert_null(alone->tls_name);
	assert_string_equal(alone->authority, "[2001:db8::54]");
	assert_string_equal(alone->path, "/dns-query");
	assert_false(alone->use_get);
}

static void assert_members(
	const struct upstream_group_config *group, const uint16_t *members, size_t count)
{
	assert_int_equal(group->member_count, count);
	assert_memory_equal(group->members, members, count * sizeof *members);
}

static void check_every_group(const struct config *config)
{
	const struct upstream_group_config *groups = config->upstream_groups;
	assert_int_equal(config->upstream_group_count, 4);
	assert_string_equal(groups[0].name, "internet");
	assert_members(&groups[0], (const uint16_t[]){ 3, 2 }, 2);
	assert_int_equal(groups[0].policy, UPSTREAM_FASTEST);
	assert_int_equal(groups[1].policy, UPSTREAM_ORDERED);
	assert_int_equal(groups[2].policy, UPSTREAM_WEIGHTED);
	assert_int_equal(groups[3].policy, UPSTREAM_PARALLEL);
	assert_int_equal(config->view_groups[0], 1);
	assert_int_equal(config->view_groups[1], 0);
	assert_int_equal(config->view_groups[3], 0);
	assert_true(config->policy.views[0].rebinding_protection);
	assert_false(config->policy.views[1].rebinding_protection);
}

static void check_every_route(const struct config *config)
{
	static const char *const domains[] = { "home.example.", "168.192.in-addr.arpa.",
		"d.f.ip6.arpa.", "77.2.0.192.in-addr.arpa." };
	const struct route_config *routes = config->routes;
	assert_int_equal(config->route_count, 2);
	assert_int_equal(routes[0].domain_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_name(&routes[0].domains[i], domains[i]);
	assert_int_equal(routes[0].view_count, 0);
	assert_int_equal(routes[0].group, 1);
	assert_int_equal(routes[1].view_count, 2);
	assert_int_equal(routes[1].views[0], 3);
	assert_int_equal(routes[1].views[1], 0);
	assert_int_equal(routes[1].group, 2);
	/* Those of routes have a right to private addresses as well. */
	assert_int_equal(config->policy.rebinding_exception_count, 6);
	assert_name(&config->policy.rebinding_exceptions[0], "plex.direct.");
	for (size_t i = 0; i < 4; i++)
		assert_name(&config->policy.rebinding_exceptions[1 + i], domains[i]);
}

static void check_every_certificate(const struct config *config)
{
	const struct tls_certificate_files *pairs = config->tls_certificates;
	assert_int_equal(config->tls_certificate_count, 3);
	assert_string_equal(pairs[0].certificate, "/etc/ssl/server.pem");
	assert_string_equal(pairs[0].key, VECTORS "keys/server.key");
	assert_string_equal(pairs[0].ocsp_response, VECTORS "server.ocsp");
	assert_string_equal(pairs[1].certificate, VECTORS "rsa.pem");
	assert_string_equal(pairs[1].key, VECTORS "rsa.key");
	assert_null(pairs[1].ocsp_response);
	assert_string_equal(pairs[2].ocsp_response, VECTORS "other.ocsp");
	assert_string_equal(config->tls_ticket_keys, VECTORS "tickets.key");
	assert_string_equal(config->tls_client_crl, VECTORS "revoked.pem");
}

static void test_every_key_is_taken(void **state)
{
	(void)state;
	struct config *config = load_good("every_key.conf");
	assert_int_equal(config->workers, 3);
	assert_listener(&config->listeners[0], "browsers", LISTENER_DOH, "::", 8443, "/ask");
	assert_listener(&config->listeners[1], "dot-853", LISTENER_DOT, "192.0.2.9", 853, NULL);
	assert_listener(&config->listeners[2], "dot-853-2", LISTENER_DOT, "192.0.2.10", 853, NULL);
	assert_listener(&config->listeners[3], "dns-5353", LISTENER_DNS, "::1", 5353, NULL);
	check_every_certificate(config);
	check_every_upstream(config);
	check_every_group(config);
	check_every_route(config);
	for (int i = 0; i < SPECIAL_NAMES; i++)
		assert_int_equal(config->special_names[i], i == SPECIAL_CANARY);
	assert_true(config->ddr);
	assert_true(config->dns_cookies.enabled);
	assert_non_null(strstr(config->dns_cookies.secret_file, "cookie secrets"));
	const struct udp_rate_limit_config *datagrams = &config->udp_rate_limit;
	assert_int_equal(datagrams->limit.per_second, 20);
	assert_int_equal(datagrams->limit.burst, 50);
	assert_int_equal(datagrams->limit.prefix_v4, 25);
	assert_int_equal(datagrams->limit.prefix_v6, 57);
	assert_true(datagrams->limit.dry_run);
	assert_int_equal(datagrams->slip, 3);
	assert_int_equal(datagrams->exempt_count, 1);
	assert_network(&datagrams->exempt[0], "192.0.2.0", 120);
	assert_int_equal(config->any_queries, ANY_FORWARD);
	assert_int_equal(config->cache.size, 1024 * 1024);
	assert_string_equal(config->cache.file, VECTORS "cache.bin");
	assert_int_equal(config->cache.min_ttl_s, 60);
	assert_int_equal(config->cache.max_ttl_s, 7200);
	assert_int_equal(config->cache.negative_max_ttl_s, 0);
	assert_int_equal(config->cache.stale_s, 0);
	assert_int_equal(config->cache.stale_after_ms, 250);
	assert_false(config->cache.prefetch);
	assert_slice(config->policy.lists[1].inline_text, "");
	assert_int_equal(config->policy.lists[2].format, LIST_HOSTS);
	assert_slice(config->policy.lists[2].inline_text, "0.0.0.0 c.example\n0.0.0.0 d.example\n");
	assert_string_equal(config->policy.lists[3].file, "/var/lib/list");
	assert_int_equal(config->policy.lists[3].format, LIST_WILDCARD);
	check_every_file(config);
	check_every_source(config);
	check_every_rule(&config->policy.groups[0]);
	assert_int_equal(config->policy.groups[1].rule_count, 0);
	check_every_view(&config->policy);
	check_every_schedule(&config->policy);
	check_every_expectation(config);
	check_every_identity(config);
	check_every_conduct(config);
	check_every_record(&config->policy);
	assert_string_equal(config->query_log.file, "-");
	assert_int_equal(config->query_log.format, QUERY_LOG_AWS);
	assert_string_equal(config->query_log.account_id, "123456789012");
	assert_string_equal(config->query_log.region, "eu-central-1");
	assert_int_equal(config->query_log.buffer_bytes, 65536);
	assert_address(&config->admin_address, "::1");
	assert_string_equal(config->control_socket, "/run/namegate/control.sock");
	assert_string_equal(config->user, "namegate");
	assert_string_equal(config->group, "dns");
	assert_false(config->hardening.seccomp);
	assert_false(config->hardening.landlock);
	assert_false(config->hardening.no_core);
	assert_true(config->allow_open_resolver);
	assert_int_equal(config->limits.connections, 10);
	assert_int_equal(config->limits.connections_per_address, 11);
	assert_int_equal(config->limits.connections_per_prefix, 14);
	assert_int_equal(config->limits.prefix_v4, 20);
	assert_int_equal(config->limits.prefix_v6, 56);
	assert_int_equal(config->limits.handshakes_per_address, 15);
	assert_int_equal(config->limits.pressure, 80);
	assert_int_equal(config->limits.queued_bytes, 2 * 1024 * 1024);
	assert_int_equal(config->limits.queries, 12);
	assert_int_equal(config->limits.queries_per_connection, 13);
	assert_int_equal(config->limits.queries_per_client, 14);
	assert_int_equal(config->limits.handshake_timeout_ms, 1500);
	assert_int_equal(config->limits.request_timeout_ms, 120000);
	assert_int_equal(config->limits.idle_timeout_ms, 3600000);
	config_free(config);
}

/* "owner ttl type length" of each record of an expectation's answer. */
static void write_answer(struct slice message, char *text, size_t size)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	size_t len = 0;
	assert_int_equal(dns_answer_open(&answer, message), 0);
	assert_true(dns_answer_is_for(&answer, slice_of("\3www\1a", 7), DNS_TYPE_A, 1));
	assert_int_equal(answer.rcode, 0);
	text[0] = '\0';
	for (dns_record_walk_begin(&walk, &answer); dns_record_next(&walk, &record);) {
		char owner[DNS_NAME_TEXT_MAX], target[DNS_NAME_TEXT_MAX] = "";
		struct dns_name name;
		if (dns_record_target(&answer, &record, &name))
			dns_name_text(dns_name_slice(&name), target);
		assert_int_equal(record.section, DNS_SECTION_ANSWER);
		assert_int_equal(record.class, DNS_CLASS_IN);
		len += (size_t)snprintf(text + len, size - len, "%s %u %u %s;",
			dns_name_text(dns_name_slice(&record.owner), owner), record.ttl_s,
			record.type, *target ? target : "-");
		assert_true(len < size);
	}
}

static void test_the_answer_of_an_expectation(void **state)
{
	(void)state;
	static const struct {
		const char *records, *expected;
	} cases[] = {
		{ "\"A 192.0.2.1\"", "www.a. 60 1 -;" },
		{ "\"www.a. A 192.0.2.1\", \"A 192.0.2.2\"", "www.a. 60 1 -;www.a. 60 1 -;" },
		{ "\"www.a CNAME X.b\", \"A 192.0.2.1\"", "www.a. 60 5 X.b.;X.b. 60 1 -;" },
		{ "\"  300 IN CNAME x.b.\", \"IN 10 CNAME y.b.\", \"1h A 192.0.2.1\"",
			"www.a. 300 5 x.b.;x.b. 10 5 y.b.;y.b. 3600 1 -;" },
		{ "\"a. DNAME b.c.\", \"A 192.0.2.1\"", "a. 60 39 b.c.;www.b.c. 60 1 -;" },
		{ "\"x. DNAME b.c.\", \"A 192.0.2.1\"", "x. 60 39 b.c.;www.a. 60 1 -;" },
		{ "\"DNAME b.c.\", \"A 192.0.2.1\"", "www.a. 60 39 b.c.;www.a. 60 1 -;" },
		{ "\"mx. A 192.0.2.1\", \"MX 10 mx.\"", "mx. 60 1 -;www.a. 60 15 -;" },
		{ "\"mx A 192.0.2.1\"", "mx. 60 1 -;" },
		{ "\"HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1\"", "www.a. 60 65 .;" },
		{ "\"HTTPS 0 other.example.\"", "www.a. 60 65 other.example.;" },
		{ "\"AAAA 2001:db8::1\"", "www.a. 60 28 -;" },
		{ "\"TXT \\\"two words\\\" ; a comment\"", "www.a. 60 16 -;" },
		{ "\"TYPE65280 \\\\# 2 abcd\"", "www.a. 60 65280 -;" },
		{ "\"www\\\\.x.a. A 192.0.2.1\"", "www\\046x.a. 60 1 -;" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[1024], answer[2048];
		snprintf(text, sizeof text,
			MINIMAL
			"expect = ( { view = \"all\"; name = \"www.a\"; verdict = \"ALLOW\"; "
			"answer = [ %s ]; } );",
			cases[i].records);
		struct config *config = load_good_text(text);
		write_answer(config->expects[0].answer, answer, sizeof answer);
		assert_string_equal(answer, cases[i].expected);
		config_free(config);
	}
}

/* As many records as there may be, each as long as can be: that is no DNS message. */
static void test_an_answer_that_is_too_long(void **state)
{
	(void)state;
	static char text[256 * 1024];
	struct told *told;
	size_t len = (size_t)snprintf(text, sizeof text,
		MINIMAL
		"expect = ( { view = \"all\"; name = \"a\"; verdict = \"ALLOW\"; answer = [ ");
	for (int i = 0; i < 256; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s\"TXT %0250d %0250d\"",
			i ? "," : "", i, i);
	snprintf(text + len, sizeof text - len, " ]; } );");
	assert_null(load_text(text, &told));
	assert_non_null(strstr(told->text, "these records make no DNS message"));
	assert_int_equal(told->errors.count, 1);
}

/* All that there may be, with answers: a second is far more than it needs. */
static void test_many_expectations(void **state)
{
	(void)state;
	static char text[4 * 1024 * 1024];
	size_t len = (size_t)snprintf(text, sizeof text, MINIMAL "expect = (");
	for (int i = 0; i < CONFIG_EXPECTS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			"%s{ view = \"all\"; name = \"n%d.example\"; verdict = \"ALLOW\"; "
			"answer = [ \"CNAME c%d.example.\", \"A 192.0.2.1\" ]; rule = \"none\"; }",
			i ? ",\n" : "\n", i, i);
	snprintf(text + len, sizeof text - len, ");");
	struct config *config = load_good_text(text);
	assert_int_equal(config->expect_count, CONFIG_EXPECTS_MAX);
	assert_int_equal(config->expects[CONFIG_EXPECTS_MAX - 1].line, CONFIG_EXPECTS_MAX + 1);
	config_free(config);
}

#define UPSTREAMS(...) MINIMAL "upstreams = (" __VA_ARGS__ ");"

/* Names and paths stand behind a name and in front of a port. */
static void test_the_authority_of_a_doh_upstream(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *authority;
	} cases[] = {
		{ "address = \"192.0.2.1\";", "192.0.2.1" },
		{ "address = \"192.0.2.1\"; port = 443;", "192.0.2.1" },
		{ "address = \"192.0.2.1\"; port = 8443;", "192.0.2.1:8443" },
		{ "address = \"2001:db8::1\";", "[2001:db8::1]" },
		{ "address = \"2001:db8::1\"; port = 1;", "[2001:db8::1]:1" },
		{ "address = \"2001:db8::1\"; tls_name = \"A.Example.\";", "a.example" },
		{ "addresses = [ \"2001:db8::1\" ]; tls_name = \"a\"; port = 65535;", "a:65535" },
		{ "host = \"b.example\"; bootstrap = \"b\";", "b.example" },
		{ "host = \"b.example\"; bootstrap = \"b\"; tls_name = \"c.example\";",
			"c.example" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[1024];
		snprintf(text, sizeof text,
			UPSTREAMS("{ name = \"b\"; address = \"192.0.2.9\"; },"
				  "{ name = \"u\"; protocol = \"doh\"; %s }"),
			cases[i].keys);
		struct config *config = load_good_text(text);
		assert_string_equal(config->upstreams[1].authority, cases[i].authority);
		config_free(config);
	}
}

/* What the cache tells answers of different askers apart by. */
static uint32_t identity_of(const char *upstreams)
{
	char text[2048];
	snprintf(text, sizeof text, UPSTREAMS("{ name = \"boot\"; address = \"192.0.2.99\"; }, %s"),
		upstreams);
	struct config *config = load_good_text(text);
	uint32_t identity = config->upstream_groups[0].identity;
	config_free(config);
	return identity;
}

static void test_the_identity_of_a_group(void **state)
{
	(void)state;
#define DOH(name, rest) "{ name = \"" name "\"; protocol = \"doh\"; " rest " }"
#define DOT(name, rest) "{ name = \"" name "\"; protocol = \"dot\"; " rest " }"
	static const char base[] =
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ];") "," DOT(
			"b", "host = \"b.example\"; bootstrap = \"boot\";");
	static const char *const same[] = {
		DOT("b", "host = \"b.example\"; bootstrap = \"boot\";") "," DOT(
			"a", "addresses = [ \"192.0.2.2\", \"192.0.2.1\" ];"),
		DOT("other",
			"addresses = [ \"192.0.2.1\", \"192.0.2.2\" ]; "
			"port = 853; weight = 7;") "," DOT("name",
			"host = \"B.example\"; bootstrap = \"boot\"; tls_ca = \"x\";"),
	};
	static const char *const others[] = {
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ];"),
		DOT("a", "addresses = [ \"192.0.2.1\" ];") "," DOT(
			"b", "host = \"b.example\"; bootstrap = \"boot\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.3\" ];") "," DOT(
			"b", "host = \"b.example\"; bootstrap = \"boot\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ]; port = 854;") "," DOT(
			"b", "host = \"b.example\"; bootstrap = \"boot\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ]; tls_name = \"a\";") "," DOT(
			"b", "host = \"b.example\"; bootstrap = \"boot\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ];") "," DOT("b",
			"host = \"c.example\"; bootstrap = \"boot\"; tls_name = \"b.example\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ];") "," DOH(
			"b", "host = \"b.example\"; bootstrap = \"boot\";"),
		DOT("a", "addresses = [ \"192.0.2.1\", \"192.0.2.2\" ];") "," DOH(
			"b", "host = \"b.example\"; bootstrap = \"boot\"; path = \"/p\";"),
	};
	enum { SAME = sizeof same / sizeof same[0], OTHERS = sizeof others / sizeof others[0] };
	uint32_t seen[OTHERS + 1] = { identity_of(base) };
	for (size_t i = 0; i < SAME; i++)
		assert_int_equal(identity_of(same[i]), seen[0]);
	for (size_t i = 0; i < OTHERS; i++) {
		seen[i + 1] = identity_of(others[i]);
		for (size_t j = 0; j <= i; j++)
			assert_int_not_equal(seen[i + 1], seen[j]);
	}
}

/* Nobody asked for secrets to be told in the clear when the encrypted upstream is away. */
static void test_the_default_group(void **state)
{
	(void)state;
	struct config *config = load_good_text(UPSTREAMS(
		"{ name = \"plain\"; address = \"192.0.2.1\"; },"
		"{ name = \"plain bootstrap\"; address = \"192.0.2.2\"; },"
		"{ name = \"dot\"; protocol = \"dot\"; address = \"192.0.2.3\"; },"
		"{ name = \"x\"; protocol = \"doh\"; host = \"x\";"
		" bootstrap = \"plain bootstrap\"; },"
		"{ name = \"y\"; protocol = \"doh\"; host = \"y\"; bootstrap = \"dot\"; }"));
	assert_int_equal(config->upstream_group_count, 1);
	assert_string_equal(config->upstream_groups[0].name, "default");
	assert_int_equal(config->upstream_groups[0].policy, UPSTREAM_ORDERED);
	assert_members(&config->upstream_groups[0], (const uint16_t[]){ 0, 2, 3, 4 }, 4);
	config_free(config);
	/* It has that name for views and routes, also when its members come later. */
	config = load_good_text(
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"
		"views = ( { name = \"all\"; upstream_group = \"default\"; } );"
		"routes = ( { domains = [ \"a\" ]; upstream_group = \"default\"; } );");
	assert_int_equal(config->view_groups[0], 0);
	assert_int_equal(config->routes[0].group, 0);
	config_free(config);
}

static void test_upstreams_of_the_system(void **state)
{
	(void)state;
	char name[] = "192.0.2.1";
	struct upstream_config system[2] = { { .name = name, .port = 53 },
		{ .name = "::1", .port = 54 } };
	struct config *config = load_good_text(MINIMAL);
	assert_true(address_parse(&system[0].address, "192.0.2.1"));
	assert_true(address_parse(&system[1].address, "2001:db8::1"));
	assert_true(config_take_upstreams(config, system, 2));
	memset(system, 0, sizeof system);
	memset(name, 'x', sizeof name - 1);
	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->upstreams[0].name, "192.0.2.1");
	assert_int_equal(config->upstreams[1].port, 54);
	assert_int_equal(config->upstreams[1].weight, 1);
	assert_int_equal(config->upstreams[1].address_count, 1);
	assert_address(&config->upstreams[1].address, "2001:db8::1");
	assert_address(&config->upstreams[1].addresses[0], "2001:db8::1");
	assert_int_equal(config->upstream_group_count, 1);
	assert_string_equal(config->upstream_groups[0].name, "default");
	assert_members(&config->upstream_groups[0], (const uint16_t[]){ 0, 1 }, 2);
	config_free(config);
	config = load_good_text(MINIMAL);
	assert_true(config_take_upstreams(config, system, 0));
	assert_int_equal(config->upstream_count, 0);
	assert_int_equal(config->upstream_group_count, 0);
	config_free(config);
}

/* A policy that does not refer to what is built in has nothing of it. */
static void test_the_built_in_group(void **state)
{
	(void)state;
#define VIEW_WITH(group)                                                                           \
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"                        \
	"views = ( { name = \"v\"; associations = ( { rule_group = \"" group                       \
	"\"; priority = 1; } ); } );"
#define RULE_WITH(list)                                                                            \
	"rule_groups = ( { name = \"g\"; rules = ( { name = \"r\"; priority = 1; action = "        \
	"\"MONITOR\"; domain_list = \"" list "\"; } ); } );"                                       \
	"domain_lists = ( { name = \"l\"; domains = [ \"a\" ]; } );"
	static const struct {
		const char *text;
		size_t groups, lists;
	} cases[] = {
		{ MINIMAL, 0, 0 },
		{ VIEW_WITH("g") RULE_WITH("l"), 1, 1 },
		{ VIEW_WITH("g") RULE_WITH("builtin:client-health"), 1, 2 },
		{ VIEW_WITH("builtin:client-health") RULE_WITH("l"), 2, 2 },
		{ VIEW_WITH("builtin:client-health") RULE_WITH("builtin:client-health"), 2, 2 },
		{ VIEW_WITH("builtin:client-health"), 1, 1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *config = load_good_text(cases[i].text);
		const struct policy_spec *policy = &config->policy;
		assert_int_equal(policy->group_count, cases[i].groups);
		assert_int_equal(policy->list_count, cases[i].lists);
		if (strstr(cases[i].text, "rule_group = \"builtin")) {
			const struct rule_group_spec *group =
				&policy->groups[policy->views[0].associations[0].group];
			assert_string_equal(group->name, builtin_client_health);
			assert_int_equal(group->rule_count, 1);
			assert_string_equal(group->rules[0].name, "client-health");
			assert_int_equal(group->rules[0].action, ACTION_ALLOW);
			assert_int_equal(group->rules[0].redirection, REDIRECTION_TRUST);
			assert_int_equal(group->rules[0].list, policy->list_count - 1);
			assert_string_equal(
				policy->lists[policy->list_count - 1].name, builtin_client_health);
		}
		config_free(config);
	}
}

static void on_list_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	(void)context;
	(void)line;
	(void)text;
	fail_msg("%s", list_reject_text(reject));
}

static int on_list_pattern(void *context, const struct list_pattern *pattern)
{
	const struct builtin_name *entry = &builtin_client_health_names[pattern->line - 1];
	bool is_below = strncmp(entry->pattern, "*.", 2) == 0;
	struct dns_name example;
	assert_true(dns_name_from_text(&example, slice_of_text(entry->example)));
	assert_true(dns_name_is_under(dns_name_slice(&example), dns_name_slice(pattern->name)));
	assert_int_equal(pattern->kind, is_below ? PATTERN_BELOW : PATTERN_EXACT);
	assert_int_equal(is_below, example.len > pattern->name->len);
	++*(size_t *)context;
	return 0;
}

static void test_the_built_in_list_reads_well(void **state)
{
	(void)state;
	size_t count = 0;
	struct list_sink sink = {
		.on_pattern = on_list_pattern, .on_reject = on_list_reject, .context = &count
	};
	struct config *config = load_good_text(VIEW_WITH("builtin:client-health"));
	list_read(config->policy.lists[0].format, config->policy.lists[0].inline_text, &sink);
	assert_int_equal(count, builtin_client_health_count);
	config_free(config);
	/* The reference shows the same list. */
	char *text = read_file(REFERENCE);
	for (size_t i = 0; i < builtin_client_health_count; i++) {
		char row[256];
		snprintf(row, sizeof row, "| `%s` | %s |\n", builtin_client_health_names[i].pattern,
			builtin_client_health_names[i].user);
		if (!strstr(text, row))
			fail_msg("docs/config.md lacks: %s", row);
	}
	free(text);
}

/* The switches are spelled as the names are everywhere else. */
static void test_special_names_are_spelled_alike(void **state)
{
	(void)state;
	for (int i = 0; i < SPECIAL_NAMES; i++) {
		char text[512];
		const char *name = special_name_text((enum special_name)i);
		snprintf(text, sizeof text, MINIMAL "special_names = { %s = %s; };", name,
			i == SPECIAL_CANARY ? "true" : "false");
		struct config *config = load_good_text(text);
		for (int j = 0; j < SPECIAL_NAMES; j++)
			assert_int_equal(
				config->special_names[j], (j != SPECIAL_CANARY) == (i != j));
		config_free(config);
	}
}

/* Long texts are cut into character-strings. */
static void test_a_long_txt_record_is_cut(void **state)
{
	(void)state;
	static const struct {
		size_t text_len, rdata_len;
	} cases[] = { { 0, 1 }, { 1, 2 }, { 255, 256 }, { 256, 258 }, { 510, 512 },
		{ 4096, 4113 } };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static char text[8192], value[4097];
		memset(value, 'x', cases[i].text_len);
		value[cases[i].text_len] = '\0';
		snprintf(text, sizeof text,
			MINIMAL
			"local_data = ( { name = \"a.b\"; type = \"TXT\"; value = \"%s\"; } );",
			value);
		struct config *config = load_good_text(text);
		struct slice rdata = config->policy.local_records[0].rdata;
		assert_int_equal(rdata.len, cases[i].rdata_len);
		size_t at = 0;
		while (at < rdata.len)
			at += 1u + rdata.at[at];
		assert_int_equal(at, rdata.len);
		config_free(config);
	}
}

/* rules/ has parsers of its own for the words that the schema lists. */
static void test_words_are_those_of_the_rules(void **state)
{
	(void)state;
	unsigned count = 0;
	for (size_t i = 0; i < schema_key_count; i++) {
		const char *name = schema_key_name(&schema_keys[i]);
		const struct schema_word *word = schema_keys[i].words;
		bool of_rules = strncmp(schema_keys[i].path, "rule_groups", 11) == 0;
		for (; word && word->text && !word->is_alias; word++) {
			enum action action = ACTION_NONE;
			enum block_response response = BLOCK_RESPONSE_COUNT;
			enum list_format format = LIST_FORMAT_COUNT;
			if (of_rules && strcmp(name, "action") == 0) {
				assert_true(action_parse(word->text, &action));
				assert_int_equal(action, word->value);
				count++;
			} else if (of_rules && strcmp(name, "block_response") == 0) {
				assert_true(block_response_parse(word->text, &response));
				assert_int_equal(response, word->value);
				count++;
			} else if (strcmp(schema_keys[i].path, "domain_lists[].format") == 0) {
				assert_true(list_format_parse(word->text, &format));
				assert_int_equal(format, word->value);
				count++;
			}
		}
	}
	assert_int_equal(count, (ACTION_COUNT - 1) + BLOCK_CONFIGURED_COUNT + LIST_FORMAT_COUNT);
}

/* One cell of a Markdown table row, without blanks around it and without `marks`. */
static char *next_cell(char **row, char cell[1024])
{
	char *end = strchr(*row, '|');
	size_t len = 0;
	if (!end)
		return NULL;
	for (const char *c = *row; c < end; c++)
		if (*c != '`' && !(len == 0 && *c == ' ') && len < 1023)
			cell[len++] = *c;
	while (len && cell[len - 1] == ' ')
		len--;
	cell[len] = '\0';
	*row = end + 1;
	return cell;
}

static size_t find_row(const char *path)
{
	for (size_t i = 0; i < schema_key_count; i++)
		if (strcmp(schema_keys[i].path, path) == 0)
			return i;
	return schema_key_count;
}

static bool same_cell(char **row, const char *path, const char *what, const char *expected)
{
	char cell[1024];
	if (next_cell(row, cell) && strcmp(cell, *expected ? expected : "–") == 0)
		return true;
	print_error("docs/config.md: %s: %s is \"%s\", the schema says \"%s\"\n", path, what, cell,
		expected);
	return false;
}

static bool check_row(char *row, bool *seen)
{
	char path[1024];
	struct schema_text text;
	if (!next_cell(&row, path))
		return true;
	size_t index = find_row(path);
	if (index == schema_key_count || seen[index]) {
		print_error("docs/config.md: %s: not in the schema, or told twice\n", path);
		return false;
	}
	const struct schema_key *key = &schema_keys[index];
	seen[index] = true;
	bool fine = same_cell(&row, path, "type", schema_type_text(key, &text));
	fine &= same_cell(&row, path, "default", schema_default_text(key, &text));
	fine &= same_cell(&row, path, "range", schema_range_text(key, &text));
	return fine & same_cell(&row, path, "reload", key->restart ? "restart" : "yes");
}

static void test_the_reference_and_the_schema_agree(void **state)
{
	(void)state;
	static bool seen[256];
	unsigned wrong = 0;
	bool in_keys = false;
	char *text = read_file(REFERENCE);
	assert_true(schema_key_count < 256);
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		if (line[0] != '|')
			in_keys = false;
		else if (strncmp(line, "| key |", 7) == 0)
			in_keys = true;
		else if (in_keys && strncmp(line, "|---", 4) != 0)
			wrong += !check_row(line + 1, seen);
	}
	for (size_t i = 0; i < schema_key_count; i++) {
		if (seen[i])
			continue;
		print_error("docs/config.md: %s is missing\n", schema_keys[i].path);
		wrong++;
	}
	free(text);
	assert_int_equal(wrong, 0);
}

static void test_the_example_of_the_reference_loads(void **state)
{
	(void)state;
	char *text = read_file(REFERENCE);
	char *start = strstr(text, "```\n");
	assert_non_null(start);
	char *end = strstr(start + 4, "```\n");
	assert_non_null(end);
	*end = '\0';
	struct config *config = load_good_text(start + 4);
	assert_int_equal(config->listener_count, 3);
	config_free(config);
	free(text);
}

/* A configuration in which one setting can be changed at a time. */
#define CHANGEABLE(workers, address, port, path, view, upstream, log, admin, rest)                 \
	"workers = " workers "; listeners = ( { protocol = \"doh\"; address = \"" address          \
	"\"; port = " port "; path = \"" path "\"; } );"                                           \
	"tls = { certificate = \"a\"; key = \"b\"; };"                                             \
	"views = ( { name = \"v\"; clients = [ \"" view "\" ]; } );"                               \
	"upstreams = ( { name = \"u\"; address = \"" upstream "\"; } );"                           \
	"query_log = { file = \"" log "\"; };"                                                     \
	"admin = { port = " admin "; };" rest

static void test_what_needs_a_restart(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *needs;
	} cases[] = {
#define AS_BEFORE CHANGEABLE("1", "127.0.0.1", "1", "/a", "10.0.0.0/8", "192.0.2.1", "l", "2", "")
		{ AS_BEFORE, NULL },
		{ "# comment\n" AS_BEFORE, NULL },
		{ CHANGEABLE("2", "127.0.0.1", "1", "/a", "10.0.0.0/8", "192.0.2.1", "l", "2", ""),
			"workers" },
		{ CHANGEABLE("1", "127.0.0.2", "1", "/a", "10.0.0.0/8", "192.0.2.1", "l", "2", ""),
			"listeners" },
		{ CHANGEABLE("1", "127.0.0.1", "3", "/a", "10.0.0.0/8", "192.0.2.1", "l", "2", ""),
			"listeners" },
		{ CHANGEABLE("1", "127.0.0.1", "1", "/b", "10.0.0.0/8", "192.0.2.1", "l", "2", ""),
			"listeners" },
		{ CHANGEABLE("1", "127.0.0.1", "1", "/a", "10.0.0.0/9", "192.0.2.1", "l", "2", ""),
			NULL },
		{ CHANGEABLE("1", "127.0.0.1", "1", "/a", "10.0.0.0/8", "192.0.2.2", "l", "2", ""),
			NULL },
		{ CHANGEABLE("1", "127.0.0.1", "1", "/a", "10.0.0.0/8", "192.0.2.1", "m", "2", ""),
			"query_log" },
		{ CHANGEABLE("1", "127.0.0.1", "1", "/a", "10.0.0.0/8", "192.0.2.1", "l", "3", ""),
			"admin" },
		{ AS_BEFORE "control_socket = \"c\";", "control_socket" },
		{ AS_BEFORE "state_directory = \"s\";", "state_directory" },
		{ AS_BEFORE "user = \"u\";", "user" },
		{ AS_BEFORE "hardening = { seccomp = false; };", "hardening" },
		{ AS_BEFORE "hardening = { landlock = false; };", "hardening" },
		{ AS_BEFORE "hardening = { no_core = false; };", "hardening" },
		{ AS_BEFORE "hardening = { no_core = true; };", NULL },
		{ AS_BEFORE "allow_open_resolver = true;", NULL },
		{ AS_BEFORE
			"local_data = ( { name = \"a\"; type = \"A\"; value = \"192.0.2.1\"; } );",
			NULL },
		{ AS_BEFORE "domain_lists = ( { name = \"a\"; domains = [ \"b\" ]; } );", NULL },
		{ AS_BEFORE
			"domain_lists = ( { name = \"a\"; file = \"f\"; max_size = \"1B\"; } );",
			NULL },
		{ AS_BEFORE "domain_lists = ( { name = \"a\"; source = \"https://a.example/\"; } );"
			    "lists_image = \"i\";",
			NULL },
		{ AS_BEFORE "rule_groups = ( { name = \"a\"; rules = (); } );", NULL },
		{ AS_BEFORE "cache = { size = \"1MiB\"; };", "cache.size" },
		{ AS_BEFORE "cache = { file = \"f\"; };", "cache.file" },
		{ AS_BEFORE
			"cache = { min_ttl = \"1s\"; max_ttl = \"1h\"; negative_max_ttl = \"1s\"; "
			"stale = \"1s\"; stale_after = \"1s\"; prefetch = false; };",
			NULL },
		{ AS_BEFORE "upstream_groups = ( { name = \"g\"; upstreams = [ \"u\" ]; } );",
			NULL },
		{ AS_BEFORE "routes = ( { domains = [ \"a\" ]; upstream_group = \"default\"; } );",
			NULL },
		{ AS_BEFORE "special_names = { local = false; };", NULL },
		{ AS_BEFORE "ddr = true;", NULL },
		{ AS_BEFORE "tokens = (); shadow = { file = \"f\"; }; revisions = 0;", NULL },
		{ AS_BEFORE "rebinding_exceptions = [ \"a\" ];", NULL },
		{ AS_BEFORE "limits = { connections = 7; };", "limits.connections" },
		{ AS_BEFORE "limits = { queries = 7; };", "limits.queries" },
		{ AS_BEFORE "limits = { connections_per_address = 7; };", NULL },
		{ AS_BEFORE "limits = { queries_per_connection = 7; };", NULL },
		{ AS_BEFORE "limits = { queries_per_client = 7; };", NULL },
		{ AS_BEFORE "limits = { handshake_timeout = \"1s\"; };", NULL },
		{ AS_BEFORE "limits = { request_timeout = \"1s\"; };", NULL },
		{ AS_BEFORE "limits = { idle_timeout = \"1s\"; };", NULL },
	};
	struct config *running = load_good_text(AS_BEFORE);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *wanted = load_good_text(cases[i].text);
		const char *needs = config_needs_restart(running, wanted);
		assert_string_equal(
			needs ? needs : "nothing", cases[i].needs ? cases[i].needs : "nothing");
		config_free(wanted);
	}
	config_free(running);
	struct config *user = load_good_text(AS_BEFORE "user = \"u\";");
	struct config *group = load_good_text(AS_BEFORE "user = \"u\"; group = \"g\";");
	assert_string_equal(config_needs_restart(user, group), "group");
	config_free(user);
	config_free(group);
}

static void test_the_hash_is_that_of_the_text(void **state)
{
	(void)state;
	struct config *one = load_good_text(MINIMAL);
	struct config *same = load_good_text(MINIMAL);
	struct config *other = load_good_text(MINIMAL "workers = 1;");
	assert_int_equal(strlen(one->hash), CONFIG_HASH_LEN);
	assert_int_equal(strspn(one->hash, "0123456789abcdef"), CONFIG_HASH_LEN);
	assert_string_equal(one->hash, same->hash);
	assert_string_not_equal(one->hash, other->hash);
	config_free(one);
	config_free(same);
	config_free(other);
}

/* A directory of our own for files that change. */
struct workshop {
	char directory[64];
	char path[128];
};

static void write_part(struct workshop *shop, const char *name, const char *text, size_t len)
{
	snprintf(shop->path, sizeof shop->path, "%s/%s", shop->directory, name);
	FILE *file = fopen(shop->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static void open_shop(struct workshop *shop)
{
	snprintf(shop->directory, sizeof shop->directory, "/tmp/config_test.XXXXXX");
	assert_non_null(mkdtemp(shop->directory));
}

static void close_shop(struct workshop *shop)
{
	DIR *directory = opendir(shop->directory);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	rmdir(shop->directory);
}

static void test_the_hash_covers_included_files(void **state)
{
	(void)state;
	struct workshop shop;
	char hashes[2][CONFIG_HASH_LEN + 1];
	open_shop(&shop);
	for (int i = 0; i < 2; i++) {
		const char *part = i ? "workers = 2;" : "workers = 1;";
		static const char whole[] = "@include \"part.conf\"\n" MINIMAL;
		write_part(&shop, "part.conf", part, strlen(part));
		write_part(&shop, "whole.conf", whole, strlen(whole));
		struct told *told = told_for("");
		struct config *config = config_load(shop.path, &told->errors);
		assert_non_null(config);
		assert_int_equal(config->workers, i + 1);
		memcpy(hashes[i], config->hash, sizeof hashes[i]);
		config_free(config);
	}
	assert_string_not_equal(hashes[0], hashes[1]);
	close_shop(&shop);
}

static void assert_fails_with(const char *path, const char *expected)
{
	struct told *told = told_for(path);
	assert_null(config_load(path, &told->errors));
	if (!strstr(told->text, expected))
		fail_msg("expected \"%s\", told: %s", expected, told->text);
}

static void test_files_that_cannot_be_read(void **state)
{
	(void)state;
	struct workshop shop;
	open_shop(&shop);
	assert_fails_with("/nowhere/namegate.conf", "cannot read the file: No such file");
	assert_fails_with(shop.directory, "cannot read the file: Is a directory");
	char *large = malloc(SOURCE_BYTES_MAX + 1);
	assert_non_null(large);
	memset(large, ' ', SOURCE_BYTES_MAX + 1);
	write_part(&shop, "large.conf", large, SOURCE_BYTES_MAX + 1);
	assert_fails_with(shop.path, "larger than 16MiB");
	/* Each is small enough, together they are not. */
	write_part(&shop, "half.conf", large, SOURCE_BYTES_MAX / 2 + 1);
	static const char twice[] = "@include \"half.conf\"\n@include \"half.conf\"\n" MINIMAL;
	write_part(&shop, "twice.conf", twice, strlen(twice));
	assert_fails_with(shop.path, "all files together are larger than 16MiB");
	/* Exactly as large as is allowed, and then an ordinary error. */
	write_part(&shop, "full.conf", large, SOURCE_BYTES_MAX);
	assert_fails_with(shop.path, "\"listeners\" is missing");
	free(large);
	close_shop(&shop);
}

static void test_includes_are_bounded(void **state)
{
	(void)state;
	struct workshop shop;
	char name[32], text[64];
	open_shop(&shop);
	for (int i = 0; i <= SOURCE_DEPTH_MAX + 1; i++) {
		snprintf(name, sizeof name, "%d.conf", i);
		snprintf(text, sizeof text, "@include \"%d.conf\"\n", i + 1);
		write_part(&shop, name, text, strlen(text));
	}
	snprintf(shop.path, sizeof shop.path, "%s/0.conf", shop.directory);
	assert_fails_with(shop.path, "include each other more than 8 deep");
	static char many[32 * (SOURCE_FILES_MAX + 300)];
	size_t len = 0;
	for (int i = 0; i < SOURCE_FILES_MAX + 299; i++)
		len += (size_t)snprintf(many + len, sizeof many - len, "@include \"empty.conf\"\n");
	write_part(&shop, "empty.conf", "", 0);
	write_part(&shop, "many.conf", many, len);
	assert_fails_with(shop.path, "more than 256 files are included");
	close_shop(&shop);
}

static void test_a_link_does_not_lead_out(void **state)
{
	(void)state;
	struct workshop shop;
	char link[128];
	static const char text[] = "@include \"link.conf\"\n" MINIMAL;
	open_shop(&shop);
	snprintf(link, sizeof link, "%s/link.conf", shop.directory);
	assert_int_equal(symlink("/etc/hostname", link), 0);
	write_part(&shop, "whole.conf", text, strlen(text));
	assert_fails_with(shop.path, "it is outside the configuration's own directory");
	unlink(link);
	assert_int_equal(symlink("inside.conf", link), 0);
	write_part(&shop, "inside.conf", "workers = 5;", 12);
	snprintf(shop.path, sizeof shop.path, "%s/whole.conf", shop.directory);
	struct told *told = told_for("");
	struct config *config = config_load(shop.path, &told->errors);
	assert_string_equal(told->text, "");
	assert_int_equal(config->workers, 5);
	config_free(config);
	/* A FIFO would make us wait for ever. */
	unlink(link);
	assert_int_equal(mkfifoat(AT_FDCWD, link, 0600), 0);
	assert_fails_with(shop.path, "not a regular file");
	close_shop(&shop);
}

static void test_errors_have_an_end(void **state)
{
	(void)state;
	static char text[64 * 5000];
	size_t len = 0;
	struct told *told;
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "x%d = 1;\n", i);
	assert_null(load_text(text, &told));
	assert_int_equal(told->errors.count, 202);
	len = (size_t)snprintf(text, sizeof text, "local_data = ( {}");
	for (int i = 0; i < 4000; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, ",\n{}");
	snprintf(text + len, sizeof text - len, ");");
	memset(told->text, 0, sizeof told->text);
	assert_null(load_text(text, &told));
	assert_non_null(strstr(told->text, "more errors are not shown"));
	assert_int_equal(told->errors.count, PROBLEMS_MAX + 1);
}

static void test_brackets_and_groups_have_bounds(void **state)
{
	(void)state;
	static char text[8192];
	struct told *told;
	size_t len = (size_t)snprintf(text, sizeof text, "a = ");
	memset(text + len, '(', 4000);
	text[len + 4000] = '\0';
	assert_null(load_text(text, &told));
	assert_non_null(strstr(told->text, "brackets are nested more than 16 deep"));
	len = 0;
	for (int i = 0; i < 300; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "x%d = 1;\n", i);
	assert_null(load_text(text, &told));
	assert_string_equal(told->text, "257: more than 256 settings in one group\n");
}

static void test_a_text_cannot_include(void **state)
{
	(void)state;
	struct told *told;
	assert_null(load_text("@include \"a.conf\"\n" MINIMAL, &told));
	assert_non_null(strstr(told->text, "1: cannot include \"a.conf\""));
}

static void test_utf16_is_named(void **state)
{
	(void)state;
	static const char text[] = "\xff\xfew\0o\0r\0k\0";
	struct told *told = told_for("test.conf");
	assert_null(config_load_text("test.conf", slice_of(text, sizeof text - 1), &told->errors));
	assert_string_equal(told->text, "1: the file is UTF-16; save it as UTF-8\n");
}

/* As many views as there may be: the check for ties must not take for ever, and must find the one
 * tie that there is. */
static void test_many_views(void **state)
{
	(void)state;
	static char text[1024 * 1024];
	size_t len = (size_t)snprintf(text, sizeof text,
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );\nviews = (");
	for (int i = 0; i < POLICY_VIEWS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			"%s{ name = \"%d\"; clients = [ \"10.%d.%d.0/24\", \"fd00:%x::/32\" ]; }",
			i ? ",\n" : "\n", i, i / 256, i % 256, i);
	snprintf(text + len, sizeof text - len, ");");
	struct config *config = load_good_text(text);
	assert_int_equal(config->policy.view_count, POLICY_VIEWS_MAX);
	assert_false(policy_view_tie(
		&config->policy, &(uint16_t){ 0 }, &(uint16_t){ 0 }, &(struct network){ 0 }));
	config_free(config);
	struct told *told;
	char *last = strstr(text, "\"10.3.255.0/24\"");
	assert_non_null(last);
	memcpy(last, "  \"10.1.1.0/24\"", 15); /* that of view 257 */
	assert_null(load_text(text, &told));
	assert_non_null(strstr(told->text, "views[1023].clients: view \"257\""));
	assert_int_equal(told->errors.count, 1);
}

static void test_protocols_have_names(void **state)
{
	(void)state;
	static const char *const names[PROTOCOL_COUNT] = { "udp", "tcp", "dot", "doh" };
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		assert_string_equal(protocol_name((enum protocol)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_vector_tells_what_it_expects),
		cmocka_unit_test(test_the_sample_is_read_in_full),
		cmocka_unit_test(test_what_is_left_out_has_its_default),
		cmocka_unit_test(test_every_key_is_taken),
		cmocka_unit_test(test_limit_of_datagrams),
		cmocka_unit_test(test_the_answer_of_an_expectation),
		cmocka_unit_test(test_an_answer_that_is_too_long),
		cmocka_unit_test(test_many_expectations),
		cmocka_unit_test(test_the_authority_of_a_doh_upstream),
		cmocka_unit_test(test_the_identity_of_a_group),
		cmocka_unit_test(test_the_default_group),
		cmocka_unit_test(test_upstreams_of_the_system),
		cmocka_unit_test(test_the_built_in_group),
		cmocka_unit_test(test_the_built_in_list_reads_well),
		cmocka_unit_test(test_special_names_are_spelled_alike),
		cmocka_unit_test(test_a_long_txt_record_is_cut),
		cmocka_unit_test(test_words_are_those_of_the_rules),
		cmocka_unit_test(test_the_reference_and_the_schema_agree),
		cmocka_unit_test(test_the_example_of_the_reference_loads),
		cmocka_unit_test(test_what_needs_a_restart),
		cmocka_unit_test(test_the_hash_is_that_of_the_text),
		cmocka_unit_test(test_the_hash_covers_included_files),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_includes_are_bounded),
		cmocka_unit_test(test_a_link_does_not_lead_out),
		cmocka_unit_test(test_errors_have_an_end),
		cmocka_unit_test(test_brackets_and_groups_have_bounds),
		cmocka_unit_test(test_a_text_cannot_include),
		cmocka_unit_test(test_utf16_is_named),
		cmocka_unit_test(test_many_views),
		cmocka_unit_test(test_protocols_have_names),
	};
	setenv("TZDIR", VECTORS "zones", 1); /* whatever the system has */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
