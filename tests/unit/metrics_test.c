#include "proxy/watch/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "dns/types.h"

/* --- reading what was written, apart from what writes it --- */

struct sample {
	char *series; /* name{labels} */
	double value;
};

struct exposition {
	struct sample *samples;
	size_t count;
	char *families[256];
	size_t family_count;
};

static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz_0123456789", text[i]) || !text[i])
			return false;
	return len > 0 && !(text[0] >= '0' && text[0] <= '9');
}

/* The labels in braces; returns where they end, or NULL. */
static const char *skip_labels(const char *at)
{
	for (at++; *at != '}';) {
		size_t len = strcspn(at, "=");
		if (!is_name(at, len) || at[len + 1] != '"')
			return NULL;
		for (at += len + 2; *at != '"'; at++) {
			if (!*at || *at == '\n')
				return NULL;
			if (*at == '\\' && !strchr("\\\"n", *++at))
				return NULL;
		}
		at++;
		if (*at == ',' && at[1] != '}')
			at++;
		else if (*at != '}')
			return NULL;
	}
	return at + 1;
}

/* Is this series of the family declared last, with the suffixes that its type allows? */
static bool is_of_family(const char *line, const char *family, const char *type)
{
	size_t len = strlen(family);
	if (strncmp(line, family, len) != 0)
		return false;
	const char *rest = line + len;
	if (strcmp(type, "histogram") != 0)
		return *rest == '{' || *rest == ' ';
	return !strncmp(rest, "_bucket{", 8) || !strncmp(rest, "_sum", 4) ||
		!strncmp(rest, "_count", 6);
}

static void parse_sample(struct exposition *all, char *line)
{
	const char *end = line + strcspn(line, "{ ");
	char *value_end;
	if (!is_name(line, (size_t)(end - line)))
		fail_msg("name: %s", line);
	if (*end == '{')
		end = skip_labels(end);
	if (!end || *end != ' ')
		fail_msg("labels: %s", line);
	double value = strtod(end + 1, &value_end);
	if (*value_end || value_end == end + 1)
		fail_msg("value: %s", line);
	all->samples = realloc(all->samples, (all->count + 1) * sizeof *all->samples);
	all->samples[all->count++] = (struct sample){ strndup(line, (size_t)(end - line)), value };
}

static int by_series(const void *a, const void *b)
{
	return strcmp(((const struct sample *)a)->series, ((const struct sample *)b)->series);
}

/* Parses and checks: HELP and TYPE once and before their samples, no series twice. */
static struct exposition parse(const struct bytes *text)
{
	struct exposition all = { 0 };
	struct slice bytes = bytes_peek(text);
	char *copy = strndup((const char *)bytes.at, bytes.len);
	char *family = NULL, *type = NULL, *next = copy;
	assert_int_equal(bytes.at[bytes.len - 1], '\n');
	while (*next) {
		char *line = next;
		next = line + strcspn(line, "\n");
		*next++ = '\0';
		if (strncmp(line, "# HELP ", 7) == 0) {
			family = strtok(line + 7, " ");
			assert_true(strlen(strtok(NULL, "")) > 8);
			for (size_t i = 0; i < all.family_count; i++)
				assert_string_not_equal(family, all.families[i]);
			all.families[all.family_count++] = strdup(family);
			type = NULL;
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_string_equal(strtok(line + 7, " "), family);
			type = strtok(NULL, " ");
		} else if (!type || !is_of_family(line, family, type)) {
			fail_msg("not of family %s: %s", family, line);
		} else {
			parse_sample(&all, line);
		}
	}
	free(copy);
	qsort(all.samples, all.count, sizeof *all.samples, by_series);
	for (size_t i = 1; i < all.count; i++)
		if (strcmp(all.samples[i - 1].series, all.samples[i].series) == 0)
			fail_msg("twice: %s", all.samples[i].series);
	return all;
}

static void exposition_free(struct exposition *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->samples[i].series);
	for (size_t i = 0; i < all->family_count; i++)
		free(all->families[i]);
	free(all->samples);
}

/* -1 when there is no such series. */
static double value_of(const struct exposition *all, const char *series)
{
	struct sample key = { .series = (char *)(uintptr_t)series };
	const struct sample *found = bsearch(&key, all->samples, all->count, sizeof key, by_series);
	return found ? found->value : -1;
}

static void check(const struct exposition *all, const char *series, double value)
{
	double is = value_of(all, series);
	if (is < value - 1e-9 || is > value + 1e-9)
		fail_msg("%s is %g, not %g", series, is, value);
}

/* --- a program that has done a bit of everything --- */

static const struct metrics_list lists[] = {
	{ .name = "ads",
		.entries = 1000000,
		.covered = 31,
		.rejected[LIST_REJECT_ASTERISK] = 2,
		.hash = { 0xc0, 0xff, 0xee, [IMAGE_HASH_LEN - 1] = 7 },
		.source_bytes = 32,
		.failures = { [LIST_FAULT_NONE] = 9, [LIST_FAULT_CANARY_HIT] = 3 },
		.last_attempt_s = 1772600769,
		.last_success_s = 1772600768,
		.last_change_s = 1772600767,
		.is_up = true },
	{ .name = "quote\" back\\slash \n line \xff", .entries = 1 },
};
static const struct metrics_upstream upstreams[] = {
	{ .name = "quad9",
		.requests = 5,
		.errors[METRICS_UPSTREAM_TIMEOUT] = 1,
		.retries = 2,
		.asked[METRICS_ASKED_HEDGE] = 2,
		.outages = 1,
		.connections = 1,
		.opened = { 2, 3 },
		.not_opened[2] = 4,
		.replays = 5,
		.idle_closes = 6,
		.inflight = 3,
		.durations[0] = 4,
		.duration_sum_us = 160,
		.is_up = true },
	{ .name = "quad9",
		.requests = 5,
		.asked[METRICS_ASKED_HEDGE] = 5,
		.outages = 2,
		.connections = 1,
		.opened = { 1, 1 },
		.not_opened[0] = 7,
		.durations[METRICS_BUCKETS] = 1,
		.duration_sum_us = 6000000 },
	{ .name = "lan", .requests = 1 },
};
static const struct metrics_build_label rights[] = { { "user", "n" }, { "seccomp", "on" } };
static const struct metrics_build_label build[] = {
	{ "version", "0.1.0" },
	{ "openssl", "3.0 \"x\"" },
};

static struct metrics_told told_of_everything(void)
{
	static const struct metrics_certificate certificates[] = {
		{ .file = "/etc/a \"b\".pem", .not_after_s = 1804136767 },
		{ .file = "rsa.pem", .not_after_s = 1804136768, .has_ocsp = true },
	};
	struct metrics_told told = {
		.lists = lists,
		.list_count = 2,
		.lists_bytes = 33,
		.upstreams = upstreams,
		.upstream_count = 3,
		.has_cache = true,
		.cache_entries = 21,
		.cache_used = 22,
		.cache_size = 23,
		.cache_evictions = 24,
		.has_state = true,
		.state_writable = true,
		.has_query_log = true,
		.log_lines = 11,
		.log_dropped_full = 12,
		.log_dropped_failed = 13,
		.reload_successful = true,
		.reload_success_s = 1772600768,
		.has_exceptions = true,
		.has_tables = true,
		.tables[METRICS_TABLE_QUERIES] = { 7, 4096 },
		.descriptors_needed = 8500,
		.exceptions = 2,
		.exceptions_hash = "0123456789abcdef0123456789abcdef",
		.has_policy = true,
		.revision = 42,
		.policy_hash = "c0ffee",
		.shadow_hash = "decaf",
		.certificates = certificates,
		.certificate_count = 2,
		.certificate_problems = 3,
		.build = build,
		.build_count = 2,
		.rights = rights,
		.rights_count = 2,
		.now_ms = 5500,
	};
	process_stats_read(&told.process);
	return told;
}

static void move_everything(struct metrics_registry *registry, struct metrics *m)
{
	uint16_t view = metrics_view_id(registry, "lan");
	uint16_t rule = metrics_rule_id(registry, "base", "no \"ads\"", ACTION_BLOCK);
	metrics_request(m, view, PROTOCOL_DOH, true, DNS_TYPE_HTTPS, 60);
	metrics_request(m, METRICS_NO_VIEW, PROTOCOL_UDP, false, 65400, 60);
	metrics_response(m, view, PROTOCOL_DOH, DNS_RCODE_NXDOMAIN, METRICS_SOURCE_RULE, 70, 468);
	metrics_response(m, METRICS_NO_VIEW, PROTOCOL_UDP, 3841, METRICS_SOURCE_ERROR, 6000000, 12);
	metrics_udp_limited(m, METRICS_LIMITED_BADCOOKIE);
	metrics_cookie(m, DNS_COOKIE_FRESH);
	metrics_decision(m, view, ACTION_BLOCK, BLOCK_NXDOMAIN);
	metrics_decision(m, view, ACTION_ALERT, BLOCK_NXDOMAIN);
	metrics_rule_match(m, rule);
	metrics_shadow_decision(m, view, METRICS_OUTCOME_UNKNOWN);
	metrics_shadow_difference(m, view, METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_UNKNOWN);
	metrics_observed_match(m, rule);
	metrics_observed_match(m, rule);
	metrics_exception(m, view);
	metrics_http(m, METRICS_METHOD_GET, 200);
	metrics_http(m, METRICS_METHOD_OTHER, 418);
	metrics_tls(m, "TLSv1.3", NULL, true);
	metrics_tls(m, NULL, "not_tls", false);
	metrics_tls(m, "SSLv2", "never heard of", false);
	metrics_connection_opened(m, PROTOCOL_DOT);
	metrics_connection_opened(m, PROTOCOL_DOT);
	metrics_connection_closed(m, PROTOCOL_DOT);
	metrics_drop(m, METRICS_DROP_RESET_FLOOD);
	metrics_add(m, METRIC_COALESCED, 3);
	metrics_add(m, METRIC_CACHE_HITS, 4);
	metrics_add(m, METRIC_CACHE_MISSES, 5);
	metrics_add(m, METRIC_CACHE_PREFETCHES, 6);
	metrics_add(m, METRIC_CERTIFICATE_RELOAD_FAILURES, 7);
	metrics_reload(m, true);
	metrics_reload(m, false);
	metrics_turn(m, 5000);
}

static struct bytes text_of(struct metrics_registry *registry, const struct metrics_told *told)
{
	struct bytes text;
	bytes_init(&text, 64 * 1024 * 1024);
	assert_int_equal(metrics_write(registry, told, &text), 0);
	return text;
}

#define N "namegate_"

static void every_family_moves(void **state)
{
	static const struct {
		const char *series;
		double value;
	} expected[] = {
		{ N "dns_requests_total{view=\"lan\",proto=\"doh\",family=\"2\",type=\"HTTPS\"}",
			1 },
		{ N "dns_requests_total{view=\"\",proto=\"udp\",family=\"1\",type=\"other\"}", 1 },
		{ N "dns_responses_total{view=\"lan\",proto=\"doh\",rcode=\"NXDOMAIN\",source="
		    "\"rule\"}",
			1 },
		{ N "dns_responses_total{view=\"\",proto=\"udp\",rcode=\"other\",source=\"error\"}",
			1 },
		{ N "dns_request_duration_seconds_bucket{proto=\"doh\",source=\"rule\",le="
		    "\"5e-05\"}",
			0 },
		{ N "dns_request_duration_seconds_bucket{proto=\"doh\",source=\"rule\",le="
		    "\"0.0001\"}",
			1 },
		{ N "dns_request_duration_seconds_bucket{proto=\"doh\",source=\"rule\",le="
		    "\"+Inf\"}",
			1 },
		{ N "dns_request_duration_seconds_sum{proto=\"doh\",source=\"rule\"}", 0.00007 },
		{ N "dns_request_duration_seconds_bucket{proto=\"udp\",source=\"error\",le=\"5\"}",
			0 },
		{ N "dns_request_duration_seconds_count{proto=\"udp\",source=\"error\"}", 1 },
		{ N "dns_request_duration_seconds_sum{proto=\"udp\",source=\"error\"}", 6 },
		{ N "dns_request_size_bytes_bucket{proto=\"udp\",le=\"100\"}", 1 },
		{ N "dns_response_size_bytes_bucket{proto=\"doh\",le=\"511\"}", 1 },
		{ N "dns_response_size_bytes_bucket{proto=\"doh\",le=\"400\"}", 0 },
		{ N "dns_response_size_bytes_sum{proto=\"doh\"}", 468 },
		{ N "firewall_decisions_total{view=\"lan\",action=\"BLOCK\",block_response="
		    "\"NXDOMAIN\"}",
			1 },
		{ N "firewall_decisions_total{view=\"lan\",action=\"ALERT\",block_response=\"\"}",
			1 },
		{ N "rule_matches_total{rule_group=\"base\",rule=\"no "
		    "\\\"ads\\\"\",action=\"BLOCK\"}",
			1 },
		{ N "rule_observed_matches_total{rule_group=\"base\",rule=\"no "
		    "\\\"ads\\\"\",action=\"BLOCK\"}",
			2 },
		{ N "exception_decisions_total{view=\"lan\"}", 1 },
		{ N "exceptions", 2 },
		{ N "exceptions_info{hash=\"0123456789abcdef0123456789abcdef\"}", 1 },
		{ N "http_responses_total{method=\"GET\",status=\"200\"}", 1 },
		{ N "http_responses_total{method=\"other\",status=\"other\"}", 1 },
		{ N "tls_handshakes_total{version=\"TLSv1.3\",result=\"ok\",resumed=\"true\"}", 1 },
		{ N "tls_handshakes_total{version=\"other\",result=\"not_tls\",resumed=\"false\"}",
			1 },
		{ N "tls_handshakes_total{version=\"other\",result=\"other\",resumed=\"false\"}",
			1 },
		{ N "connections{proto=\"dot\"}", 1 },
		{ N "connections_total{proto=\"dot\"}", 2 },
		{ N "connections_total{proto=\"doh\"}", 0 },
		{ N "dropped_total{reason=\"reset_flood\"}", 1 },
		{ N "dropped_total{reason=\"malformed\"}", 0 },
		{ N "coalesced_total", 3 },
		{ N "cache_hits_total", 4 },
		{ N "cache_misses_total", 5 },
		{ N "cache_prefetches_total", 6 },
		{ N "cache_entries", 21 },
		{ N "cache_used_bytes", 22 },
		{ N "cache_size_bytes", 23 },
		{ N "cache_evictions_total", 24 },
		{ N "config_reloads_total{result=\"success\"}", 1 },
		{ N "config_reloads_total{result=\"failure\"}", 1 },
		{ N "domain_list_entries{list=\"ads\"}", 1000000 },
		{ N "domain_list_entries{list=\"quote\\\" back\\\\slash \\n line \xef\xbf\xbd\"}",
			1 },
		{ N "domain_list_rejected_lines{list=\"ads\",reason=\"asterisk\"}", 2 },
		{ N "domain_list_rejected_lines{list=\"ads\",reason=\"syntax\"}", -1 },
		{ N "domain_list_covered_entries{list=\"ads\"}", 31 },
		{ N "domain_list_source_bytes{list=\"ads\"}", 32 },
		{ N "domain_list_last_attempt_timestamp_seconds{list=\"ads\"}", 1772600769 },
		{ N "domain_list_last_success_timestamp_seconds{list=\"ads\"}", 1772600768 },
		{ N "domain_list_last_change_timestamp_seconds{list=\"ads\"}", 1772600767 },
		{ N "domain_list_failures_total{list=\"ads\",reason=\"canary_hit\"}", 3 },
		{ N "domain_list_failures_total{list=\"ads\",reason=\"none\"}", -1 },
		{ N "domain_list_up{list=\"ads\"}", 1 },
		{ N "domain_list_up{list=\"quote\\\" back\\\\slash \\n line \xef\xbf\xbd\"}", 0 },
		{ N "domain_list_info{list=\"ads\",hash=\"c0ffee00000000000000000000000007\"}", 1 },
		{ N "domain_lists_bytes", 33 },
		{ N "upstream_requests_total{upstream=\"quad9\"}", 10 },
		{ N "upstream_requests_total{upstream=\"lan\"}", 1 },
		{ N "upstream_request_duration_seconds_bucket{upstream=\"quad9\",le=\"5e-05\"}",
			4 },
		{ N "upstream_request_duration_seconds_count{upstream=\"quad9\"}", 5 },
		{ N "upstream_request_duration_seconds_sum{upstream=\"quad9\"}", 6.00016 },
		{ N "upstream_errors_total{upstream=\"quad9\",reason=\"timeout\"}", 1 },
		{ N "upstream_errors_total{upstream=\"lan\",reason=\"timeout\"}", 0 },
		{ N "upstream_retries_total{upstream=\"quad9\"}", 2 },
		{ N "upstream_asked_total{upstream=\"quad9\",reason=\"hedge\"}", 7 },
		{ N "upstream_asked_total{upstream=\"lan\",reason=\"first\"}", 0 },
		{ N "upstream_outages_total{upstream=\"quad9\"}", 3 },
		{ N "upstream_connections{upstream=\"quad9\"}", 2 },
		{ N "upstream_connections_opened_total{upstream=\"quad9\",resumed=\"false\"}", 3 },
		{ N "upstream_connections_opened_total{upstream=\"quad9\",resumed=\"true\"}", 4 },
		{ N "upstream_connection_failures_total{upstream=\"quad9\",reason=\"connect\"}",
			7 },
		{ N "upstream_connection_failures_total{upstream=\"quad9\","
		    "reason=\"certificate_name\"}",
			4 },
		{ N "upstream_replays_total{upstream=\"quad9\"}", 5 },
		{ N "upstream_idle_closes_total{upstream=\"quad9\"}", 6 },
		{ N "upstream_idle_closes_total{upstream=\"lan\"}", 0 },
		{ N "upstream_inflight{upstream=\"quad9\"}", 3 },
		{ N "upstream_up{upstream=\"quad9\"}", 1 },
		{ N "upstream_up{upstream=\"lan\"}", 0 },
		{ N "log_lines_total{sink=\"query_log\"}", 11 },
		{ N "log_dropped_total{sink=\"query_log\",reason=\"full\"}", 12 },
		{ N "log_dropped_total{sink=\"query_log\",reason=\"failed\"}", 13 },
		{ N "config_last_reload_successful", 1 },
		{ N "config_last_reload_success_timestamp_seconds", 1772600768 },
		{ N "policy_info{revision=\"42\",hash=\"c0ffee\"}", 1 },
		{ N "policy_revision", 42 },
		{ N "shadow_info{policy_hash=\"decaf\"}", 1 },
		{ N "shadow_decisions_total{view=\"lan\",action=\"UNKNOWN\"}", 1 },
		{ N "shadow_differences_total{view=\"lan\",from=\"BLOCK\",to=\"UNKNOWN\"}", 1 },
		{ N "certificate_not_after_timestamp_seconds{file=\"/etc/a \\\"b\\\".pem\"}",
			1804136767 },
		{ N "certificate_not_after_timestamp_seconds{file=\"rsa.pem\"}", 1804136768 },
		{ N "certificate_ocsp_next_update_timestamp_seconds{file=\"rsa.pem\"}", 0 },
		{ N "state_directory_writable", 1 },
		{ N "certificate_problems", 3 },
		{ N "certificate_reload_failures_total", 7 },
		{ N "worker_loop_last_turn_age_seconds{worker=\"0\"}", 0.5 },
		{ N "udp_rate_limited_total{result=\"badcookie\"}", 1 },
		{ N "dns_cookies_total{cookie=\"fresh\"}", 1 },
		{ N "rights_info{user=\"n\",seccomp=\"on\"}", 1 },
		{ N "table_used{table=\"queries\"}", 7 },
		{ N "table_size{table=\"queries\"}", 4096 },
		{ N "table_used{table=\"connections\"}", 0 },
		{ N "descriptors_needed", 8500 },
		{ N "build_info{version=\"0.1.0\",openssl=\"3.0 \\\"x\\\"\"}", 1 },
	};
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *m = metrics_new(registry);
	struct metrics_told told = told_of_everything();
	(void)state;
	move_everything(registry, m);
	struct bytes text = text_of(registry, &told);
	struct exposition all = parse(&text);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		check(&all, expected[i].series, expected[i].value);
	assert_true(value_of(&all, "process_resident_memory_bytes") > 100000);
	assert_true(value_of(&all, "process_virtual_memory_bytes") >
		value_of(&all, "process_resident_memory_bytes"));
	assert_true(value_of(&all, "process_open_fds") >= 3);
	assert_true(value_of(&all, "process_max_fds") >= 64);
	assert_true(value_of(&all, "process_cpu_seconds_total") >= 0);
	assert_in_range((unsigned)value_of(&all, "process_start_time_seconds"), time(NULL) - 1000,
		time(NULL) + 1);
	/* Every family of metrics.def stands there, and not only by name. */
	size_t family_count;
	metrics_families(&family_count);
	assert_int_equal(all.family_count, family_count);
	exposition_free(&all);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

static void promtool_finds_nothing(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *m = metrics_new(registry);
	struct metrics_told told = told_of_everything();
	char name[] = "/tmp/namegate-metrics-XXXXXX", command[128], complaint[4096] = "";
	(void)state;
	move_everything(registry, m);
	struct bytes text = text_of(registry, &told);
	int fd = mkstemp(name);
	assert_int_equal(write(fd, bytes_peek(&text).at, bytes_len(&text)), bytes_len(&text));
	close(fd);
	bytes_deinit(&text);
	metrics_registry_free(registry);
	snprintf(command, sizeof command, "promtool check metrics <%s 2>&1", name);
	FILE *promtool = popen(command, "r");
	size_t len = fread(complaint, 1, sizeof complaint - 1, promtool);
	int status = pclose(promtool);
	unlink(name);
	if (WEXITSTATUS(status) == 127) {
		print_message("skipped: there is no promtool\n");
		skip();
	}
	complaint[len] = '\0';
	if (status || len)
		fail_msg("promtool: %s", complaint);
}

/* With nothing configured and nothing done, and with a buffer that is too small. */
static void little_to_tell(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics_told nothing = { .now_ms = 1 };
	(void)state;
	struct bytes text = text_of(registry, &nothing);
	struct exposition all = parse(&text);
	check(&all, N "dropped_total{reason=\"malformed\"}", 0);
	check(&all, N "coalesced_total", 0);
	exposition_free(&all);
	bytes_deinit(&text);
	bytes_init(&text, 1000);
	assert_int_equal(metrics_write(registry, &nothing, &text), ERR_TOO_LONG);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

/* --- labels --- */

static void names_keep_their_numbers(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	char long_name[METRICS_NAME_MAX + 2];
	(void)state;
	memset(long_name, 'x', sizeof long_name);
	long_name[METRICS_NAME_MAX + 1] = '\0';
	uint16_t lan = metrics_view_id(registry, "lan");
	assert_int_equal(metrics_view_id(registry, "wan"), lan + 1);
	assert_int_equal(metrics_view_id(registry, "lan"), lan);
	assert_int_equal(metrics_view_id(registry, "other"), 0);
	assert_int_equal(metrics_view_id(registry, ""), METRICS_NO_VIEW);
	assert_int_equal(metrics_view_id(registry, long_name), 0);
	long_name[METRICS_NAME_MAX] = '\0';
	assert_int_equal(metrics_view_id(registry, long_name), lan + 2);
	uint16_t rule = metrics_rule_id(registry, "a", "b", ACTION_BLOCK);
	assert_int_not_equal(metrics_rule_id(registry, "a", "b", ACTION_ALERT), rule);
	assert_int_equal(metrics_rule_id(registry, "a", "b", ACTION_BLOCK), rule);
	/* One name cannot pose as two. */
	assert_int_not_equal(metrics_rule_id(registry, "a\",rule=\"b", "", ACTION_BLOCK), rule);
	metrics_registry_free(registry);
}

static void names_beyond_the_cap_are_other(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *m = metrics_new(registry);
	struct metrics_told told = { 0 };
	struct metrics_list many[METRICS_LISTS + 10];
	struct metrics_upstream ups[METRICS_UPSTREAMS + 10];
	static char names[METRICS_RULES + 10][16];
	(void)state;
	for (unsigned i = 0; i < METRICS_RULES + 10; i++) {
		snprintf(names[i], sizeof names[i], "n%u", i);
		uint16_t view = metrics_view_id(registry, names[i]);
		uint16_t rule = metrics_rule_id(registry, "g", names[i], ACTION_BLOCK);
		assert_int_equal(view, i < METRICS_VIEWS ? i + 2 : 0);
		assert_int_equal(rule, i < METRICS_RULES ? i + 1 : 0);
		metrics_request(m, view, PROTOCOL_UDP, false, DNS_TYPE_A, 1);
		metrics_rule_match(m, rule);
	}
	for (unsigned i = 0; i < METRICS_LISTS + 10; i++)
		many[i] = (struct metrics_list){
			.name = names[i],
			.entries = 1,
			.covered = 2,
			.source_bytes = 3,
			.hash = { 1 },
			.failures[LIST_FAULT_GROWN] = 4,
			.last_attempt_s = 2000000 - i,
			.last_success_s = i < METRICS_LISTS + 9 ? 5 : 0,
			.is_up = i != METRICS_LISTS + 5,
		};
	for (unsigned i = 0; i < METRICS_UPSTREAMS + 10; i++)
		ups[i] = (struct metrics_upstream){ .name = names[i], .requests = 1 };
	told.lists = many;
	told.list_count = METRICS_LISTS + 10;
	told.upstreams = ups;
	told.upstream_count = METRICS_UPSTREAMS + 10;
	struct bytes text = text_of(registry, &told);
	struct exposition all = parse(&text);
	check(&all, N "dns_requests_total{view=\"other\",proto=\"udp\",family=\"1\",type=\"A\"}",
		METRICS_RULES + 10 - METRICS_VIEWS);
	check(&all, N "dns_requests_total{view=\"n255\",proto=\"udp\",family=\"1\",type=\"A\"}", 1);
	check(&all, N "rule_matches_total{rule_group=\"other\",rule=\"other\",action=\"other\"}",
		10);
	check(&all, N "domain_list_entries{list=\"other\"}", 10);
	check(&all, N "domain_list_covered_entries{list=\"other\"}", 20);
	check(&all, N "domain_list_source_bytes{list=\"other\"}", 30);
	check(&all, N "domain_list_failures_total{list=\"other\",reason=\"grown\"}", 40);
	/* The worst of them, so that it is seen. */
	check(&all, N "domain_list_last_attempt_timestamp_seconds{list=\"other\"}",
		2000000 - METRICS_LISTS - 9);
	check(&all, N "domain_list_last_success_timestamp_seconds{list=\"other\"}", 0);
	check(&all, N "domain_list_up{list=\"other\"}", 0);
	check(&all, N "domain_list_info{list=\"n0\",hash=\"01000000000000000000000000000000\"}", 1);
	check(&all, N "domain_list_info{list=\"other\",hash=\"01000000000000000000000000000000\"}",
		-1);
	check(&all, N "upstream_requests_total{upstream=\"other\"}", 10);
	exposition_free(&all);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

static void every_byte_in_a_label(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *m = metrics_new(registry);
	struct metrics_told told = { 0 };
	(void)state;
	for (unsigned byte = 1; byte < 256; byte++) {
		char name[] = { 'v', (char)byte, '"', '}', '\0' };
		metrics_request(
			m, metrics_view_id(registry, name), PROTOCOL_TCP, false, DNS_TYPE_A, 1);
	}
	struct bytes text = text_of(registry, &told);
	struct exposition all = parse(&text);
	check(&all,
		N "dns_requests_total{view=\"v\\n\\\"}\",proto=\"tcp\",family=\"1\",type=\"A\"}",
		1);
	/* All that cannot be shown is one name: 128 bytes that are not UTF-8, 31 controls. */
	check(&all,
		N "dns_requests_total{view=\"v\xef\xbf\xbd\\\"}\",proto=\"tcp\",family=\"1\",type="
		  "\"A\"}",
		128 + 31);
	exposition_free(&all);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

/* A mistake of ours must not write outside of the table. */
static void indices_out_of_range_stay_inside(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *m = metrics_new(registry);
	struct metrics_told told = { 0 };
	(void)state;
	metrics_request(m, 0xffff, (enum protocol)99, true, 1, SIZE_MAX);
	metrics_response(
		m, 0xffff, (enum protocol)99, 0xffff, (enum metrics_source)99, UINT32_MAX, 0);
	metrics_decision(m, 0xffff, ACTION_BLOCK, (enum block_response)99);
	metrics_decision(m, 0xffff, (enum action)99, BLOCK_NODATA);
	metrics_rule_match(m, 0xffff);
	metrics_http(m, (enum metrics_method)99, 0);
	metrics_drop(m, (enum metrics_drop_reason)99);
	struct bytes text = text_of(registry, &told);
	struct exposition all = parse(&text);
	check(&all, N "dropped_total{reason=\"other\"}", 1);
	exposition_free(&all);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

/* --- memory --- */

static size_t resident_bytes(void)
{
	struct process_stats stats = { 0 };
	process_stats_read(&stats);
	return stats.resident_bytes;
}

static void what_is_not_used_is_not_resident(void **state)
{
	enum { SETS = 32 };
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics *sets[SETS];
	(void)state;
	size_t before = resident_bytes();
	for (int i = 0; i < SETS; i++) {
		sets[i] = metrics_new(registry);
		metrics_request(sets[i], METRICS_NO_VIEW, PROTOCOL_UDP, false, DNS_TYPE_A, 1);
		metrics_response(
			sets[i], METRICS_NO_VIEW, PROTOCOL_UDP, 0, METRICS_SOURCE_UPSTREAM, 1, 1);
	}
	/* It can be less than before: the sanitizer gives its notes about an address back when the
	 * address is mapped anew. */
	assert_in_range(resident_bytes(), 0, before + SETS * 64 * 1024);
	metrics_registry_free(registry);
}

/* --- threads --- */

struct worker {
	struct metrics *m;
	uint16_t view;
};

enum { WORKER_COUNT = 50000 };

static void *worker_main(void *context)
{
	struct worker *worker = context;
	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		metrics_request(worker->m, worker->view, PROTOCOL_DOT, false, DNS_TYPE_A, 50);
		metrics_response(
			worker->m, worker->view, PROTOCOL_DOT, 0, METRICS_SOURCE_UPSTREAM, i, 100);
		metrics_turn(worker->m, 1 + i);
	}
	return NULL;
}

static void two_workers_and_a_reader(void **state)
{
	struct metrics_registry *registry = metrics_registry_new();
	struct metrics_told told = { .now_ms = WORKER_COUNT };
	uint16_t view = metrics_view_id(registry, "lan");
	struct worker workers[2] = { { metrics_new(registry), view },
		{ metrics_new(registry), view } };
	pthread_t threads[2];
	(void)state;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, worker_main, &workers[i]);
	for (int i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof name, "v%d", i);
		metrics_view_id(registry, name);
		metrics_oldest_turn_ms(registry, told.now_ms);
		struct bytes text = text_of(registry, &told);
		struct exposition all = parse(&text);
		exposition_free(&all);
		bytes_deinit(&text);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	struct bytes text = text_of(registry, &told);
	struct exposition all = parse(&text);
	check(&all, N "dns_requests_total{view=\"lan\",proto=\"dot\",family=\"1\",type=\"A\"}",
		2 * WORKER_COUNT);
	check(&all, N "dns_request_duration_seconds_count{proto=\"dot\",source=\"upstream\"}",
		2 * WORKER_COUNT);
	assert_int_equal(metrics_oldest_turn_ms(registry, WORKER_COUNT + 7), 7);
	exposition_free(&all);
	bytes_deinit(&text);
	metrics_registry_free(registry);
}

/* --- documentation --- */

static void buckets_are_as_documented(void **state)
{
	static const struct {
		uint32_t duration_us;
		unsigned bucket;
	} cases[] = { { 0, 0 }, { 50, 0 }, { 51, 1 }, { 1000, 4 }, { 5000000, 15 }, { 5000001, 16 },
		{ UINT32_MAX, METRICS_BUCKETS } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(metrics_duration_bucket(cases[i].duration_us), cases[i].bucket);
}

/* docs/metrics.md has a row for every family, as metrics.def has it, and no other. With
 * METRICS_DOC_PRINT set, the rows are printed. */
static void the_documentation_is_complete(void **state)
{
	size_t count, rows = 0;
	const struct metrics_family *families = metrics_families(&count);
	char line[1024];
	(void)state;
	FILE *file = fopen(TEST_VECTORS "/../../docs/metrics.md", "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		char expected[1024], label[256];
		struct writer labels = writer_of(label, sizeof label - 1);
		if (strncmp(line, "| `", 3) != 0)
			continue;
		assert_true(rows < count);
		metrics_family_write_labels(&labels, &families[rows]);
		label[labels.len] = '\0';
		snprintf(expected, sizeof expected, "| `%s` | %s | %s | %s |\n",
			families[rows].name, families[rows].type, label, families[rows].help);
		assert_string_equal(line, expected);
		rows++;
	}
	fclose(file);
	assert_int_equal(rows, count);
}

/* The words that lists come with stand there, too. */
static void the_words_of_lists_are_documented(void **state)
{
	char text[32 * 1024] = "", word[64];
	(void)state;
	FILE *file = fopen(TEST_VECTORS "/../../docs/metrics.md", "r");
	assert_non_null(file);
	assert_in_range(fread(text, 1, sizeof text - 1, file), 1000, sizeof text - 2);
	fclose(file);
	for (unsigned i = 1; i < LIST_FAULT_COUNT + LIST_REJECT_COUNT; i++) {
		const char *name = i < LIST_FAULT_COUNT
			? list_fault_name((enum list_fault)i)
			: list_reject_name((enum list_reject)(i - LIST_FAULT_COUNT));
		snprintf(word, sizeof word, "`%s`", name);
		if (i != LIST_FAULT_COUNT && !strstr(text, word))
			fail_msg("docs/metrics.md lacks %s", word);
	}
}

static int print_documentation(void)
{
	size_t count;
	const struct metrics_family *families = metrics_families(&count);
	for (size_t i = 0; i < count; i++) {
		char label[256];
		struct writer labels = writer_of(label, sizeof label - 1);
		metrics_family_write_labels(&labels, &families[i]);
		printf("| `%s` | %s | %.*s | %s |\n", families[i].name, families[i].type,
			(int)labels.len, label, families[i].help);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_family_moves),
		cmocka_unit_test(promtool_finds_nothing),
		cmocka_unit_test(little_to_tell),
		cmocka_unit_test(names_keep_their_numbers),
		cmocka_unit_test(names_beyond_the_cap_are_other),
		cmocka_unit_test(every_byte_in_a_label),
		cmocka_unit_test(indices_out_of_range_stay_inside),
		cmocka_unit_test(what_is_not_used_is_not_resident),
		cmocka_unit_test(two_workers_and_a_reader),
		cmocka_unit_test(buckets_are_as_documented),
		cmocka_unit_test(the_documentation_is_complete),
		cmocka_unit_test(the_words_of_lists_are_documented),
	};
	if (getenv("METRICS_DOC_PRINT"))
		return print_documentation();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
