#include "proxy/watch/query_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/reply.h"
#include "proxy/watch/escape.h"
#include "proxy/watch/query_log_line.h"
#include "tests/unit/policy_texts.h"
#include "tests/unit/strict_json.h"

/* --- a policy to speak of --- */

static const struct domain_list_spec lists[] = {
	{ .name = "bad \"list\"", .format = LIST_DOMAINS },
	{ .name = "plain", .format = LIST_DOMAINS },
};
static const char *const list_texts[] = { "*.bad.test\nexact.test\n\\000\\255\\034.test\n",
	"odd.test\n" };
static const struct rule_spec rules[] = {
	{ .name = "see\nit", .priority = 1, .action = ACTION_MONITOR, .list = 0 },
	{ .name = "block\xff",
		.priority = 2,
		.action = ACTION_BLOCK,
		.block_response = BLOCK_NXDOMAIN,
		.list = 0 },
	{ .name = "alert", .priority = 3, .action = ACTION_ALERT, .list = 1 },
};
static const struct rule_group_spec groups[] = { { "base\\line", rules, 3 } };
static const struct association_spec associations[] = { { 0, 1, false } };
static const struct view_spec views[] = {
	{ .name = "l\xc3\xa4n",
		.default_action = ACTION_ALLOW,
		.associations = associations,
		.association_count = 1 },
	{ .name = "garden",
		.default_action = ACTION_BLOCK,
		.default_block_response = BLOCK_REFUSED },
};

static struct policy_texts built;

static struct policy *make_policy(void)
{
	const struct policy_spec spec = {
		.lists = lists,
		.list_count = 2,
		.groups = groups,
		.group_count = 1,
		.views = views,
		.view_count = 2,
	};
	const struct list_text texts[] = {
		{ slice_of_text(list_texts[0]), 0 },
		{ slice_of_text(list_texts[1]), 0 },
	};
	assert_int_equal(policy_texts_build(&built, &spec, texts, 1), 0);
	return built.policy;
}

static void free_policy(void)
{
	policy_texts_free(&built);
}

/* --- one line --- */

static struct query_log_event event_of(struct dns_name *name, const char *text)
{
	assert_true(dns_name_from_text(name, slice_of_text(text)));
	return (struct query_log_event){
		.time_s = 1772600767,
		.time_us = 12,
		.protocol = PROTOCOL_UDP,
		.client = address_of_v4((const uint8_t[]){ 192, 0, 2, 17 }),
		.client_port = 51413,
		.name = dns_name_slice(name),
		.type = DNS_TYPE_A,
		.class = DNS_CLASS_IN,
		.rcode = DNS_RCODE_NOERROR,
		.view = POLICY_NO_ID,
		.source = "error",
		.duration_us = 7,
		.ede = DNS_EDE_NONE,
	};
}

static struct verdict judge(const struct policy *policy, struct query_log_event *event,
	uint16_t view, struct dns_name *lower)
{
	struct verdict verdict;
	lower->len = (uint8_t)event->name.len;
	dns_name_lower(lower->wire, event->name.at, event->name.len);
	struct facts facts = {
		.view = view, .query_type = event->type, .name = dns_name_slice(lower)
	};
	policy_judge_query(policy, &facts, &verdict, NULL);
	event->policy = policy;
	event->policy_hash = "c0ffee";
	event->revision = 42;
	event->view = view;
	return verdict;
}

static struct slice line_of(const struct query_log_event *event, enum query_log_format format)
{
	static uint8_t buffer[LOG_LINE_MAX];
	static struct query_log_stamp stamp;
	const struct query_log_config config = {
		.format = format, .account_id = "local", .region = "eu \"1\""
	};
	struct query_log_style style;
	struct writer line = writer_of(buffer, sizeof buffer);
	assert_int_equal(query_log_style_init(&style, &config), 0);
	query_log_line_write(&line, &style, &stamp, event);
	assert_false(line.failed);
	assert_int_equal(buffer[line.len - 1], '\n');
	struct slice text = slice_of(buffer, line.len - 1);
	if (!json_is_strict(text) || memchr(text.at, '\n', text.len))
		fail_msg("not strict JSON: %.*s", (int)text.len, text.at);
	return text;
}

static void check_line(struct slice line, const char *expected)
{
	if (!slice_equals_text(line, expected))
		fail_msg("is  %.*s\nnot %s", (int)line.len, line.at, expected);
}

static void check_member(struct slice line, const char *key, const char *expected)
{
	struct slice value = json_member(line, key);
	if (!slice_equals_text(value, expected))
		fail_msg("%s is %.*s, not %s", key, (int)value.len, value.at, expected);
}

#define AWS_HEAD "{\"version\":\"1.100000\",\"account_id\":\"local\",\"region\":\"eu \\\"1\\\"\","
#define AWS_QUESTION(name, rcode)                                                                  \
	"\"query_timestamp\":\"2026-03-04T05:06:07Z\",\"query_name\":\"" name                      \
	"\",\"query_type\":\"A\",\"query_class\":\"IN\",\"rcode\":\"" rcode "\",\"answers\":[],"
#define AWS_CLIENT                                                                                 \
	"\"srcaddr\":\"192.0.2.17\",\"srcport\":\"51413\",\"transport\":\"UDP\",\"srcids\":{}"

static void no_view_has_little_to_say(void **state)
{
	struct dns_name name;
	struct query_log_event event = event_of(&name, "Www.Example");
	(void)state;
	check_line(line_of(&event, QUERY_LOG_NAMEGATE),
		AWS_HEAD "\"vpc_id\":\"\"," AWS_QUESTION("Www.Example.", "NOERROR") AWS_CLIENT
		",\"ext\":{\"protocol\":\"udp\",\"source\":\"error\",\"time_us\":12,"
		"\"duration_us\":7}}");
	check_line(line_of(&event, QUERY_LOG_AWS),
		AWS_HEAD "\"vpc_id\":\"\"," AWS_QUESTION("Www.Example.", "NOERROR") AWS_CLIENT "}");
}

static void a_client_is_called_by_its_name(void **state)
{
	struct policy *policy = make_policy();
	struct dns_name name, lower;
	struct query_log_event event = event_of(&name, "www.good.test");
	judge(policy, &event, 0, &lower);
	(void)state;
	struct slice line = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	assert_null(json_member(line, "client_by").at);
	assert_null(json_member(line, "client_id").at);
	event.client_by = "certificate";
	event.client_id = slice_of_text("cn:An\"na\x01");
	line = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(line, "client_by", "\"certificate\"");
	check_member(line, "client_id", "\"cn:An\\\"na\\u0001\"");
	assert_null(json_member(line_of(&event, QUERY_LOG_AWS), "ext").at);
	free_policy();
}

static void a_block_is_told_in_full(void **state)
{
	struct policy *policy = make_policy();
	struct dns_name name, lower;
	struct query_log_event event = event_of(&name, "Beacon.bad.test");
	struct verdict verdict = judge(policy, &event, 0, &lower);
	(void)state;
	event.verdict = &verdict;
	event.rcode = DNS_RCODE_NXDOMAIN;
	event.source = "rule";
	event.ede = DNS_EDE_BLOCKED;
	const char *firewall =
		",\"firewall_rule_group_id\":\"base\\\\line\",\"firewall_rule_action\":\"BLOCK\","
		"\"firewall_domain_list_id\":\"bad \\\"list\\\"\"";
	char expected[4096];
	snprintf(expected, sizeof expected, "%s%s%s",
		AWS_HEAD "\"vpc_id\":\"l\xc3\xa4n\"," AWS_QUESTION("Beacon.bad.test.", "NXDOMAIN")
			AWS_CLIENT,
		firewall, "}");
	check_line(line_of(&event, QUERY_LOG_AWS), expected);
	expected[strlen(expected) - 1] = '\0';
	strcat(expected,
		",\"ext\":{\"view\":\"l\xc3\xa4n\",\"action\":\"BLOCK\","
		"\"block_response\":\"NXDOMAIN\",\"rule_group\":\"base\\\\line\","
		"\"rule\":\"block\xef\xbf\xbd\",\"list\":\"bad \\\"list\\\"\","
		"\"entry\":\"*.bad.test.\",\"matched_name\":\"Beacon.bad.test.\",\"hop\":0,"
		"\"monitored\":[\"see\\u000ait\"],\"revision\":42,\"policy_hash\":\"c0ffee\","
		"\"protocol\":\"udp\",\"source\":\"rule\",\"time_us\":12,\"duration_us\":7,"
		"\"ede\":15}}");
	check_line(line_of(&event, QUERY_LOG_NAMEGATE), expected);
	free_policy();
}

/* What was decided by hand, what was let through by hand, and what would have been decided. */
static void exceptions_and_observations(void **state)
{
	struct policy *policy = make_policy();
	struct dns_name name, lower;
	struct query_log_event event = event_of(&name, "Beacon.bad.test");
	struct verdict verdict = judge(policy, &event, 0, &lower);
	const struct exception exception = { .id = 7, .because = "ticket \"12\"" };
	(void)state;
	event.verdict = &verdict;
	verdict.monitors[1] = verdict.match;
	verdict.monitors[1].observed = true;
	verdict.monitors[1].hop = 2;
	verdict.monitor_count = 2;
	verdict.action = ACTION_ALLOW;
	verdict.reason = REASON_EXCEPTION;
	verdict.match =
		(struct rule_match){ POLICY_NO_ID, POLICY_NO_ID, POLICY_NO_ID, 0, false, { 0 } };
	verdict.exception = 7;
	event.exception = &exception;
	struct slice ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "action", "\"ALLOW\"");
	check_member(ext, "reason", "\"exception\"");
	check_member(ext, "exception", "{\"id\":7,\"because\":\"ticket \\\"12\\\"\"}");
	check_member(ext, "matched_name", "\"Beacon.bad.test.\"");
	check_member(ext, "hop", "0");
	check_member(ext, "monitored", "[\"see\\u000ait\"]");
	check_member(ext, "observed",
		"[{\"rule_group\":\"base\\\\line\",\"rule\":\"block\xef\xbf\xbd\","
		"\"action\":\"BLOCK\",\"hop\":2}]");
	/* It ended while the query waited. */
	event.exception = NULL;
	verdict.reason = REASON_NO_MATCH;
	verdict.action = ACTION_NONE;
	ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "exception", "{\"id\":7}");
	check_member(ext, "reason", "");
	verdict.exception = 0;
	ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "exception", "");
	free_policy();
}

/* Every shape that a verdict can have: which fields are there, and which are not. */
static void every_shape_of_a_verdict(void **state)
{
	static const struct {
		const char *name;
		uint16_t view;
		enum action action;
		enum verdict_reason reason;
		const char *firewall_action, *ext_action, *block_response, *rule, *why, *fail_mode;
	} shapes[] = {
		{ "fine.test", 0, ACTION_NONE, REASON_NO_MATCH, "", "", "", "", "", "" },
		{ "odd.test", 0, ACTION_ALERT, REASON_RULE, "\"ALERT\"", "\"ALERT\"", "",
			"\"alert\"", "", "" },
		{ "odd.test", 0, ACTION_ALLOW, REASON_RULE, "", "\"ALLOW\"", "", "\"alert\"", "",
			"" },
		{ "exact.test", 0, ACTION_BLOCK, REASON_RULE, "\"BLOCK\"", "\"BLOCK\"",
			"\"NXDOMAIN\"", "\"block\xef\xbf\xbd\"", "", "" },
		{ "any.test", 1, ACTION_BLOCK, REASON_DEFAULT, "\"BLOCK\"", "\"BLOCK\"",
			"\"REFUSED\"", "", "\"default_action\"", "" },
		{ "fine.test", 0, ACTION_NONE, REASON_FAIL_CLOSED, "", "", "", "",
			"\"policy_failed\"", "\"closed\"" },
		{ "fine.test", 0, ACTION_NONE, REASON_FAIL_OPEN, "", "", "", "",
			"\"policy_failed\"", "\"open\"" },
		{ "fine.test", 0, ACTION_BLOCK, REASON_REBINDING, "\"BLOCK\"", "\"BLOCK\"",
			"\"NODATA\"", "", "\"rebinding\"", "" },
	};
	struct policy *policy = make_policy();
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		struct dns_name name, lower;
		struct query_log_event event = event_of(&name, shapes[i].name);
		struct verdict verdict = judge(policy, &event, shapes[i].view, &lower);
		verdict.action = shapes[i].action;
		verdict.reason = shapes[i].reason;
		event.verdict = &verdict;
		struct slice line = line_of(&event, QUERY_LOG_NAMEGATE);
		struct slice ext = json_member(line, "ext");
		check_member(line, "firewall_rule_action", shapes[i].firewall_action);
		check_member(ext, "action", shapes[i].ext_action);
		check_member(ext, "block_response", shapes[i].block_response);
		check_member(ext, "rule", shapes[i].rule);
		check_member(ext, "reason", shapes[i].why);
		check_member(ext, "fail_mode", shapes[i].fail_mode);
	}
	free_policy();
}

/* What a candidate would have done stands behind, in the same words. */
static void a_candidate_is_told(void **state)
{
	static const struct {
		const char *name;
		bool has_view, is_unknown, differs;
		const char *action, *rule, *reason, *answer;
	} rows[] = {
		{ "exact.test", true, false, false, "\"BLOCK\"", "\"block\xef\xbf\xbd\"", "", "" },
		{ "fine.test", true, false, true, "", "", "", "" },
		{ "fine.test", true, true, true, "", "", "", "\"unknown\"" },
		{ "fine.test", false, false, true, "", "", "\"no_view\"", "" },
	};
	struct policy *policy = make_policy();
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dns_name name, lower;
		struct query_log_event event = event_of(&name, rows[i].name);
		struct verdict verdict = judge(policy, &event, 0, &lower);
		const struct query_log_shadow shadow = { .policy = policy,
			.policy_hash = "decaf",
			.verdict = rows[i].has_view ? &verdict : NULL,
			.is_unknown = rows[i].is_unknown,
			.differs = rows[i].differs };
		event.policy = NULL; /* none of it is ours */
		event.verdict = NULL;
		event.shadow = &shadow;
		struct slice ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
		check_member(ext, "action", "");
		struct slice told = json_member(ext, "shadow");
		check_member(told, "differs", rows[i].differs ? "true" : "false");
		check_member(told, "action", rows[i].action);
		check_member(told, "rule", rows[i].rule);
		check_member(told, "reason", rows[i].reason);
		check_member(told, "answer", rows[i].answer);
		check_member(told, "policy_hash", "\"decaf\"");
		assert_int_equal(json_member(line_of(&event, QUERY_LOG_AWS), "ext").len, 0);
	}
	free_policy();
}

static void a_hop_names_itself(void **state)
{
	struct policy *policy = make_policy();
	struct dns_name name, lower;
	struct query_log_event event = event_of(&name, "exact.test");
	struct verdict verdict = judge(policy, &event, 0, &lower);
	(void)state;
	event.verdict = &verdict;
	verdict.match.hop = 2;
	assert_true(dns_name_from_text(&verdict.matched_name, slice_of_text("x.\\000.bad.test")));
	struct slice ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "hop", "2");
	check_member(ext, "matched_name", "\"x.\\\\000.bad.test.\"");
	/* Who has a private address stands on no list, and may be on no chain. */
	verdict.reason = REASON_REBINDING;
	ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "hop", "");
	check_member(ext, "matched_name", "\"x.\\\\000.bad.test.\"");
	/* An entry that is a network. */
	verdict.reason = REASON_RULE;
	verdict.match.hop = 0;
	verdict.match.entry = (struct list_entry){ LIST_ENTRY_NETWORK, 120, 0 };
	verdict.matched_address = address_of_v4((const uint8_t[]){ 192, 0, 2, 77 });
	ext = json_member(line_of(&event, QUERY_LOG_NAMEGATE), "ext");
	check_member(ext, "hop", "");
	check_member(ext, "entry", "\"192.0.2.0/24\"");
	check_member(ext, "matched_address", "\"192.0.2.77\"");
	check_member(ext, "matched_name", "\"x.\\\\000.bad.test.\"");
	free_policy();
}

/* --- hostile names --- */

static void every_byte_in_a_label(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		struct dns_name name = { .len = 4, .wire = { 2, 'a', (uint8_t)byte, 0 } };
		struct dns_name other;
		struct query_log_event event = event_of(&other, "x");
		event.name = dns_name_slice(&name);
		struct slice line = line_of(&event, QUERY_LOG_NAMEGATE);
		char expected[32];
		bool is_plain = byte < 0x80 && byte &&
			strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*",
				(int)byte);
		if (is_plain)
			snprintf(expected, sizeof expected, "\"a%c.\"", byte);
		else
			snprintf(expected, sizeof expected, "\"a\\\\%03u.\"", byte);
		check_member(line, "query_name", expected);
	}
}

static void the_longest_name_fits(void **state)
{
	struct policy *policy = make_policy();
	struct dns_name name = { .len = 255 }, lower;
	struct dns_name other;
	(void)state;
	memset(name.wire, 0xff, sizeof name.wire);
	name.wire[0] = name.wire[64] = name.wire[128] = 63;
	name.wire[192] = 61;
	name.wire[254] = 0;
	assert_int_equal(dns_name_check(dns_name_slice(&name)), 255);
	struct query_log_event event = event_of(&other, "x");
	event.name = dns_name_slice(&name);
	struct verdict verdict = judge(policy, &event, 1, &lower);
	verdict.matched_name = name;
	event.verdict = &verdict;
	struct slice line = line_of(&event, QUERY_LOG_NAMEGATE);
	assert_int_equal(json_member(line, "query_name").len, 2 + 250 * 5 + 4);
	const struct query_log_shadow shadow = {
		.policy = policy, .policy_hash = "decaf", .verdict = &verdict
	};
	event.shadow = &shadow;
	line = line_of(&event, QUERY_LOG_NAMEGATE); /* which is strict JSON, to its end */
	assert_int_equal(
		json_member(json_member(json_member(line, "ext"), "shadow"), "matched_name").len,
		2 + 250 * 5 + 4);
	free_policy();
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void random_name(uint32_t *seed, struct dns_name *name)
{
	name->len = 0;
	for (;;) {
		size_t len = 1 + next_random(seed) % 63;
		if (name->len + len + 2 > 255 || next_random(seed) % 5 == 0)
			break;
		name->wire[name->len++] = (uint8_t)len;
		for (size_t i = 0; i < len; i++)
			name->wire[name->len++] = (uint8_t)next_random(seed);
	}
	name->wire[name->len++] = 0;
}

/* JSON text to the presentation form, that to wire: what was asked must come out. */
static void check_round_trip(struct slice line, const struct dns_name *asked)
{
	char text[DNS_NAME_TEXT_MAX];
	size_t len = 0;
	struct slice value = json_member(line, "query_name");
	for (size_t i = 1; i + 1 < value.len; i++) {
		if (value.at[i] == '\\')
			i++;
		text[len++] = (char)value.at[i];
	}
	struct dns_name read;
	assert_true(dns_name_from_text(&read, slice_of(text, len)));
	assert_true(slice_equals(dns_name_slice(&read), dns_name_slice(asked)));
}

static void random_names_come_back(void **state)
{
	uint32_t seed = 2463534242u;
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct dns_name name, other;
		struct query_log_event event = event_of(&other, "x");
		random_name(&seed, &name);
		event.name = dns_name_slice(&name);
		event.type = (uint16_t)next_random(&seed);
		event.class = (uint16_t)next_random(&seed);
		event.rcode = (uint16_t)(next_random(&seed) & 0xfff);
		event.protocol = next_random(&seed) % PROTOCOL_COUNT;
		check_round_trip(line_of(&event, QUERY_LOG_NAMEGATE), &name);
	}
}

/* --- answers --- */

struct reply_text {
	uint8_t bytes[65535];
	struct dns_reply reply;
};

static void reply_begin(struct reply_text *text, const struct dns_query *query)
{
	struct dns_reply_limits limits = { .size = sizeof text->bytes };
	dns_reply_begin(&text->reply, query, limits, text->bytes, sizeof text->bytes);
}

static void answers_are_listed(void **state)
{
	static struct reply_text text;
	struct dns_name name, target;
	struct query_log_event event = event_of(&name, "www.test");
	struct dns_query query = { .name = event.name, .type = DNS_TYPE_A, .class = DNS_CLASS_IN };
	(void)state;
	dns_name_from_text(&target, slice_of_text("\\\"cdn.test"));
	reply_begin(&text, &query);
	dns_reply_add_cname(&text.reply, dns_name_slice(&target), 60);
	dns_reply_add(&text.reply, DNS_SECTION_ANSWER, dns_name_slice(&target), DNS_TYPE_A,
		DNS_CLASS_IN, 60, slice_of("\xc0\x00\x02\x01", 4));
	dns_reply_add(&text.reply, DNS_SECTION_ANSWER, dns_name_slice(&target), DNS_TYPE_TXT,
		DNS_CLASS_IN, 60,
		slice_of("\x05"
			 "a\"b\\\xff",
			6));
	dns_reply_add(&text.reply, DNS_SECTION_ANSWER, dns_name_slice(&target), 65400, DNS_CLASS_CH,
		60, slice_of("\x00\x01", 2));
	dns_reply_add(&text.reply, DNS_SECTION_AUTHORITY, dns_name_slice(&target), DNS_TYPE_A,
		DNS_CLASS_IN, 60, slice_of("\xc0\x00\x02\x02", 4));
	event.reply = dns_reply_finish(&text.reply);
	check_member(line_of(&event, QUERY_LOG_AWS), "answers",
		"[{\"Rdata\":\"\\\\034cdn.test.\",\"Type\":\"CNAME\",\"Class\":\"IN\"},"
		"{\"Rdata\":\"192.0.2.1\",\"Type\":\"A\",\"Class\":\"IN\"},"
		"{\"Rdata\":\"\\\"a\\\\034b\\\\092\\\\255\\\"\",\"Type\":\"TXT\",\"Class\":\"IN\"},"
		"{\"Rdata\":\"\\\\# 2 0001\",\"Type\":\"65400\",\"Class\":\"CH\"}]");
}

static size_t count_text(struct slice where, const char *what)
{
	size_t count = 0, len = strlen(what);
	for (size_t i = 0; i + len <= where.len; i++)
		count += memcmp(where.at + i, what, len) == 0;
	return count;
}

/* What is too much is left out, and that is said. */
static void large_answers_are_bounded(void **state)
{
	static struct reply_text text;
	static const struct {
		unsigned records;
		size_t rdata_len;
		size_t told;
		bool is_truncated;
	} cases[] = {
		{ 1, 10, 1, false },
		{ 32, 10, 32, false },
		{ 33, 10, 32, true },
		{ 500, 10, 32, true },
		{ 1, 1500, 1, false },
		{ 1, 3000, 0, true },
		{ 2, 1500, 2, false },
		{ 3, 1500, 2, true },
		{ 1, 60000, 0, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static const uint8_t zeros[60000];
		struct dns_name name;
		struct query_log_event event = event_of(&name, "www.test");
		struct dns_query query = {
			.name = event.name, .type = DNS_TYPE_A, .class = DNS_CLASS_IN
		};
		reply_begin(&text, &query);
		for (unsigned k = 0; k < cases[i].records; k++)
			dns_reply_add(&text.reply, DNS_SECTION_ANSWER, event.name, 65400,
				DNS_CLASS_IN, 60, slice_of(zeros, cases[i].rdata_len));
		event.reply = dns_reply_finish(&text.reply);
		struct slice line = line_of(&event, QUERY_LOG_NAMEGATE);
		assert_int_equal(count_text(line, "\"Rdata\":"), cases[i].told);
		check_member(json_member(line, "ext"), "answers_truncated",
			cases[i].is_truncated ? "true" : "");
	}
}

/* --- time --- */

static void dates(void **state)
{
	static const int64_t times[] = { 0, 1, 951782399, 951782400, 951868800, 1709164800,
		1709251199, 1709251200, 1772600767, 4107542399, 4107542400, 253402300799 };
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct dns_name name;
		struct query_log_event event = event_of(&name, "x");
		char expected[64];
		time_t time = (time_t)times[i];
		struct tm utc;
		gmtime_r(&time, &utc);
		strftime(expected, sizeof expected, "\"%Y-%m-%dT%H:%M:%SZ\"", &utc);
		event.time_s = times[i];
		check_member(line_of(&event, QUERY_LOG_AWS), "query_timestamp", expected);
	}
}

static void unusual_numbers_are_digits(void **state)
{
	struct dns_name name;
	struct query_log_event event = event_of(&name, ".");
	(void)state;
	event.type = 65400;
	event.class = 77;
	event.rcode = 3841;
	assert_true(address_parse(&event.client, "2001:db8::1"));
	struct slice line = line_of(&event, QUERY_LOG_AWS);
	check_member(line, "query_name", "\".\"");
	check_member(line, "query_type", "\"65400\"");
	check_member(line, "query_class", "\"77\"");
	check_member(line, "rcode", "\"3841\"");
	check_member(line, "srcaddr", "\"2001:db8::1\"");
}

/* --- the ring --- */

static bool ring_put(struct log_ring *ring, bool is_important, size_t len)
{
	struct writer line;
	if (!log_ring_reserve(ring, is_important, &line))
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		writer_u8(&line, is_important ? '!' : '.');
	writer_u8(&line, '\n');
	log_ring_commit(ring, &line);
	return true;
}

static void half_of_the_ring_is_for_important_lines(void **state)
{
	struct log_ring ring;
	size_t ordinary = 0, important = 0;
	(void)state;
	assert_int_equal(log_ring_init(&ring, 1024 * 1024), 0);
	while (ring_put(&ring, false, 500))
		ordinary++;
	assert_in_range(ordinary * 500, 512 * 1024 - LOG_LINE_MAX - 500, 512 * 1024);
	while (ring_put(&ring, true, 500))
		important++;
	assert_in_range(important * 500, 512 * 1024 - 500, 512 * 1024 + LOG_LINE_MAX);
	assert_false(ring_put(&ring, false, 1));
	log_ring_release(&ring, 500 * ordinary);
	assert_false(ring_put(&ring, false, 1));
	assert_true(ring_put(&ring, true, 1));
	log_ring_deinit(&ring);
}

/* Lines of every length, over many laps: what goes in comes out. */
static void lines_survive_the_wrap(void **state)
{
	struct log_ring ring;
	uint32_t seed = 88172645u;
	(void)state;
	assert_int_equal(log_ring_init(&ring, LOG_RING_MIN), 0);
	for (int lap = 0; lap < 2000; lap++) {
		size_t len = 1 + next_random(&seed) % LOG_LINE_MAX;
		struct writer line;
		struct slice pieces[2];
		assert_true(log_ring_reserve(&ring, false, &line));
		for (size_t i = 0; i < len; i++)
			writer_u8(&line, (uint8_t)(i * 7 + len));
		log_ring_commit(&ring, &line);
		log_ring_peek(&ring, pieces);
		assert_int_equal(pieces[0].len + pieces[1].len, len);
		for (size_t i = 0; i < len; i++) {
			uint8_t byte = i < pieces[0].len ? pieces[0].at[i]
							 : pieces[1].at[i - pieces[0].len];
			if (byte != (uint8_t)(i * 7 + len))
				fail_msg("byte %zu of %zu in lap %d", i, len, lap);
		}
		log_ring_release(&ring, len);
	}
	log_ring_deinit(&ring);
}

/* --- the log as a whole --- */

static char directory[] = "/tmp/namegate-query-log-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static struct query_log *open_log(const char *file, unsigned rings)
{
	const struct query_log_config config = {
		.file = file,
		.account_id = "local",
		.region = "local",
		.buffer_bytes = 256 * 1024,
	};
	return query_log_open(&config, rings);
}

static void write_lines(struct query_log *log, unsigned ring, const char *prefix, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct dns_name name;
		char text[64];
		snprintf(text, sizeof text, "%s%u.test", prefix, i);
		struct query_log_event event = event_of(&name, text);
		query_log_write(query_log_ring(log, ring), &event);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits for the counters to be as `lines` (written) and `dropped` (in all) say. */
static void wait_for_counters(const struct query_log *log, uint64_t lines, uint64_t dropped)
{
	struct query_log_counters counters;
	for (uint64_t end_ms = now_ms() + 10000; now_ms() < end_ms; usleep(5000)) {
		counters = query_log_counters(log);
		if (counters.lines == lines &&
			counters.dropped_full + counters.dropped_failed == dropped)
			return;
	}
	fail_msg("lines %llu, dropped %llu + %llu", (unsigned long long)counters.lines,
		(unsigned long long)counters.dropped_full,
		(unsigned long long)counters.dropped_failed);
}

/* Every line of a file, checked; returns how many, or how many have `needle`. */
static size_t check_bytes(struct slice text, const char *needle)
{
	size_t count = 0;
	while (text.len) {
		const uint8_t *end = memchr(text.at, '\n', text.len);
		assert_non_null(end);
		struct slice line = slice_of(text.at, (size_t)(end - text.at));
		if (!json_is_strict(line))
			fail_msg("not strict JSON: %.*s", (int)line.len, line.at);
		count += !needle || memmem(line.at, line.len, needle, strlen(needle));
		text = slice_of(end + 1, text.len - line.len - 1);
	}
	return count;
}

static size_t check_file(const char *path, const char *needle)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	struct stat status;
	assert_int_equal(fstat(fileno(file), &status), 0);
	uint8_t *bytes = malloc((size_t)status.st_size + 1);
	assert_int_equal(fread(bytes, 1, (size_t)status.st_size, file), status.st_size);
	size_t count = check_bytes(slice_of(bytes, (size_t)status.st_size), needle);
	free(bytes);
	fclose(file);
	return count;
}

static void no_file_is_no_log(void **state)
{
	struct query_log_event event = { 0 };
	(void)state;
	errno = EIO;
	assert_null(open_log(NULL, 1));
	assert_int_equal(errno, 0);
	query_log_write(query_log_ring(NULL, 0), &event);
	query_log_reopen(NULL);
	query_log_close(NULL);
	assert_int_equal(query_log_counters(NULL).lines, 0);
	assert_null(open_log("/nonexistent/directory/log", 1));
	assert_int_equal(errno, ENOENT);
}

static void lines_reach_the_file(void **state)
{
	struct query_log *log = open_log(path_of("plain"), 2);
	(void)state;
	assert_non_null(log);
	write_lines(log, 0, "a", 100);
	write_lines(log, 1, "b", 100);
	wait_for_counters(log, 200, 0);
	assert_int_equal(check_file(path_of("plain"), NULL), 200);
	usleep(1300000); /* the thread is asleep by now, and a line wakes it */
	write_lines(log, 1, "c", 1);
	wait_for_counters(log, 201, 0);
	write_lines(log, 0, "d", 50);
	query_log_close(log); /* writes the rest */
	assert_int_equal(check_file(path_of("plain"), NULL), 251);
	struct stat status;
	assert_int_equal(stat(path_of("plain"), &status), 0);
	assert_int_equal(status.st_mode & 07, 0);
}

static void a_moved_file_is_opened_again(void **state)
{
	char before[300];
	struct query_log *log = open_log(path_of("rotated"), 1);
	(void)state;
	write_lines(log, 0, "before", 10);
	wait_for_counters(log, 10, 0);
	snprintf(before, sizeof before, "%s.1", path_of("rotated"));
	assert_int_equal(rename(path_of("rotated"), before), 0);
	write_lines(log, 0, "meanwhile", 10);
	wait_for_counters(log, 20, 0);
	query_log_reopen(log);
	for (int i = 0; i < 400 && access(path_of("rotated"), F_OK) < 0; i++)
		usleep(5000);
	write_lines(log, 0, "after", 10);
	query_log_close(log);
	assert_int_equal(check_file(before, NULL), 20);
	assert_int_equal(check_file(path_of("rotated"), "after"), 10);
}

static void a_torn_end_is_ended_first(void **state)
{
	(void)state;
	FILE *file = fopen(path_of("torn"), "w");
	fputs("{}\n{\"cut", file);
	fclose(file);
	struct query_log *log = open_log(path_of("torn"), 1);
	write_lines(log, 0, "x", 1);
	query_log_close(log);
	char text[64] = "";
	file = fopen(path_of("torn"), "r");
	assert_int_equal(fread(text, 1, 16, file), 16);
	fclose(file);
	assert_memory_equal(text, "{}\n{\"cut\n{\"versi", 16);
}

static void a_full_disk_drops_and_counts(void **state)
{
	struct query_log *log = open_log("/dev/full", 1);
	(void)state;
	assert_non_null(log);
	write_lines(log, 0, "x", 50);
	wait_for_counters(log, 0, 50);
	assert_int_equal(query_log_counters(log).dropped_failed, 50);
	write_lines(log, 0, "y", 7);
	uint64_t start_ms = now_ms();
	query_log_close(log);
	assert_in_range(now_ms() - start_ms, 0, 500);
}

/* A limit on the file's size is a disk that fills up in the middle of a line; then there is room
 * again. No line is torn, what was dropped was counted, and the log goes on. */
static void a_disk_that_fills_up_and_recovers(void **state)
{
	struct rlimit before, small = { 10000, 0 };
	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	struct query_log *log = open_log(path_of("limited"), 1);
	setrlimit(RLIMIT_FSIZE, &small);
	write_lines(log, 0, "x", 100);
	uint64_t end_ms = now_ms() + 10000;
	while (query_log_counters(log).dropped_failed == 0 && now_ms() < end_ms)
		usleep(5000);
	struct query_log_counters counters = query_log_counters(log);
	assert_int_equal(counters.lines + counters.dropped_failed, 100);
	assert_in_range(counters.lines, 10, 99);
	assert_int_equal(check_file(path_of("limited"), NULL), counters.lines);
	setrlimit(RLIMIT_FSIZE, &before);
	write_lines(log, 0, "again", 10);
	wait_for_counters(log, counters.lines + 10, counters.dropped_failed);
	query_log_close(log);
	assert_int_equal(check_file(path_of("limited"), "again"), 10);
}

/* A trouble of less than a second costs nothing. */
static void a_short_trouble_loses_nothing(void **state)
{
	const char *path = path_of("late");
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	uint64_t start_ms = now_ms();
	struct query_log *log = open_log(path, 1); /* nobody reads: does not block */
	assert_non_null(log);
	write_lines(log, 0, "x", 10);
	assert_in_range(now_ms() - start_ms, 0, 500);
	usleep(200000);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	wait_for_counters(log, 10, 0);
	query_log_close(log);
	uint8_t bytes[65536];
	ssize_t len = read(reader, bytes, sizeof bytes);
	assert_true(len > 0);
	assert_int_equal(check_bytes(slice_of(bytes, (size_t)len), NULL), 10);
	close(reader);
}

static void a_fifo_without_reader_drops_and_counts(void **state)
{
	const char *path = path_of("nobody");
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	struct query_log *log = open_log(path, 1);
	write_lines(log, 0, "x", 10);
	wait_for_counters(log, 0, 10);
	query_log_close(log);
}

static void a_reader_that_goes_away(void **state)
{
	const char *path = path_of("gone");
	uint8_t bytes[65536];
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	struct query_log *log = open_log(path, 1);
	write_lines(log, 0, "x", 10);
	wait_for_counters(log, 10, 0);
	close(reader);
	write_lines(log, 0, "y", 10);
	wait_for_counters(log, 10, 10);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	write_lines(log, 0, "z", 10);
	wait_for_counters(log, 20, 10);
	query_log_close(log);
	ssize_t len = read(reader, bytes, sizeof bytes);
	assert_true(len > 0);
	assert_int_equal(check_bytes(slice_of(bytes, (size_t)len), "z"), 10);
	close(reader);
}

/* A pipe that is full: the workers do not notice, the end does not hang, and what the reader gets
 * when it wakes up is whole lines. */
static void a_reader_that_sleeps(void **state)
{
	const char *path = path_of("asleep");
	static uint8_t bytes[4 * 1024 * 1024];
	size_t len = 0;
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	struct query_log *log = open_log(path, 1);
	uint64_t start_ms = now_ms();
	write_lines(log, 0, "x", 5000);
	assert_in_range(now_ms() - start_ms, 0, 2000);
	struct query_log_counters counters = query_log_counters(log);
	assert_true(counters.dropped_full > 0);
	uint64_t end_ms = now_ms() + 10000;
	while (now_ms() < end_ms) {
		ssize_t more = read(reader, bytes + len, sizeof bytes - len);
		len += more > 0 ? (size_t)more : 0;
		counters = query_log_counters(log);
		if (counters.lines + counters.dropped_full == 5000)
			break;
		usleep(1000);
	}
	write_lines(log, 0, "y", 5000);
	start_ms = now_ms();
	query_log_close(log);
	assert_in_range(now_ms() - start_ms, 500, 2000);
	ssize_t more = read(reader, bytes + len, sizeof bytes - len);
	len += more > 0 ? (size_t)more : 0;
	assert_true(check_bytes(slice_of(bytes, len), NULL) > counters.lines);
	close(reader);
}

/* A flood of ordinary lines in front of a reader that sleeps does not wash out a single block. */
static void blocks_outlive_a_flood(void **state)
{
	const char *path = path_of("flood");
	static uint8_t bytes[1024 * 1024];
	struct policy *policy = make_policy();
	struct dns_name name, lower;
	size_t len = 0;
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	struct query_log *log = open_log(path, 1);
	write_lines(log, 0, "flood", 5000);
	struct query_log_event event = event_of(&name, "x.bad.test");
	struct verdict verdict = judge(policy, &event, 0, &lower);
	event.verdict = &verdict;
	for (int i = 0; i < 100; i++)
		query_log_write(query_log_ring(log, 0), &event);
	struct query_log_counters counters = query_log_counters(log);
	for (uint64_t end_ms = now_ms() + 10000; now_ms() < end_ms; usleep(1000)) {
		ssize_t more = read(reader, bytes + len, sizeof bytes - len);
		len += more > 0 ? (size_t)more : 0;
		if (query_log_counters(log).lines + counters.dropped_full == 5100 && more <= 0)
			break;
	}
	query_log_close(log);
	assert_int_equal(check_bytes(slice_of(bytes, len), "\"BLOCK\""), 100);
	close(reader);
	free_policy();
}

/* A pipe, a socket (as systemd has it), a file: lines arrive, and who shares our standard output
 * does not find it changed. */
static void standard_output_may_be_anything(void **state)
{
	int kinds[3][2];
	(void)state;
	assert_int_equal(pipe(kinds[0]), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, kinds[1]), 0);
	kinds[2][1] = open(path_of("stdout"), O_CREAT | O_RDWR, 0600);
	kinds[2][0] = open(path_of("stdout"), O_RDONLY);
	for (int i = 0; i < 3; i++) {
		uint8_t bytes[65536];
		fflush(stdout);
		int saved = dup(STDOUT_FILENO);
		dup2(kinds[i][1], STDOUT_FILENO);
		struct query_log *log = open_log("-", 1);
		dup2(saved, STDOUT_FILENO);
		close(saved);
		assert_non_null(log);
		write_lines(log, 0, "x", 20);
		query_log_close(log);
		assert_int_equal(fcntl(kinds[i][1], F_GETFL) & O_NONBLOCK, 0);
		ssize_t len = read(kinds[i][0], bytes, sizeof bytes);
		assert_true(len > 0);
		assert_int_equal(check_bytes(slice_of(bytes, (size_t)len), NULL), 20);
		close(kinds[i][0]);
		close(kinds[i][1]);
	}
}

/* --- threads --- */

struct worker {
	struct query_log *log;
	unsigned index;
};

static void *worker_main(void *context)
{
	struct worker *worker = context;
	char prefix[16];
	snprintf(prefix, sizeof prefix, "w%u-", worker->index);
	write_lines(worker->log, worker->index, prefix, 20000);
	return NULL;
}

static void two_workers_at_once(void **state)
{
	struct query_log *log = open_log(path_of("workers"), 2);
	struct worker workers[2] = { { log, 0 }, { log, 1 } };
	pthread_t threads[2];
	(void)state;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, worker_main, &workers[i]);
	for (int i = 0; i < 50; i++) {
		query_log_counters(log);
		if (i % 10 == 0)
			query_log_reopen(log);
		usleep(1000);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	uint64_t end_ms = now_ms() + 10000;
	struct query_log_counters counters = query_log_counters(log);
	while (counters.lines + counters.dropped_full < 40000 && now_ms() < end_ms) {
		usleep(1000);
		counters = query_log_counters(log);
	}
	query_log_close(log);
	assert_int_equal(counters.lines + counters.dropped_full, 40000);
	assert_int_equal(check_file(path_of("workers"), NULL), counters.lines);
}

/* --- escapes --- */

static void json_escapes(void **state)
{
	static const struct {
		const char *text, *escaped;
		size_t max;
	} cases[] = {
		{ "plain", "plain", 99 },
		{ "a\"b\\c", "a\\\"b\\\\c", 99 },
		{ "\x01\n\x7f", "\\u0001\\u000a\\u007f", 99 },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
			99 },
		{ "\xff"
		  "a\xc3(",
			"\xef\xbf\xbd"
			"a\xef\xbf\xbd(",
			99 },
		{ "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd", 99 },                 /* overlong */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 99 }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 99 },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", 99 }, /* cut off */
		{ "\xc2\x9b", "\xef\xbf\xbd", 99 },             /* C1: CSI */
		{ "abcdef", "abc", 3 },
		{ "ab\xc3\xa4", "ab", 3 },
		{ "ab\"", "ab", 3 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char buffer[256];
		struct writer to = writer_of(buffer, sizeof buffer);
		escape_json(&to, slice_of_text(cases[i].text), cases[i].max);
		if (!slice_equals_text(writer_slice(&to), cases[i].escaped))
			fail_msg("case %zu: %.*s", i, (int)to.len, buffer);
	}
}

/* For people: nothing is escaped that a terminal does not obey. */
static void text_keeps_quotes_and_loses_controls(void **state)
{
	static const char text[] = "a\"b\\c \x1b[31m\n\x7f\xc3\xa4\xc2\x9b\xff";
	static const char safe[] = "a\"b\\c \xef\xbf\xbd[31m\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4"
				   "\xef\xbf\xbd\xef\xbf\xbd";
	char buffer[64];
	struct writer to = writer_of(buffer, sizeof buffer);
	(void)state;
	escape_text(&to, slice_of_text(text), sizeof buffer);
	assert_true(slice_equals_text(writer_slice(&to), safe));
}

static int make_directory(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[300];
	(void)state;
	snprintf(command, sizeof command, "rm -r '%s'", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(text_keeps_quotes_and_loses_controls),
		cmocka_unit_test(no_view_has_little_to_say),
		cmocka_unit_test(a_client_is_called_by_its_name),
		cmocka_unit_test(a_block_is_told_in_full),
		cmocka_unit_test(exceptions_and_observations),
		cmocka_unit_test(every_shape_of_a_verdict),
		cmocka_unit_test(a_candidate_is_told),
		cmocka_unit_test(a_hop_names_itself),
		cmocka_unit_test(every_byte_in_a_label),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(random_names_come_back),
		cmocka_unit_test(answers_are_listed),
		cmocka_unit_test(large_answers_are_bounded),
		cmocka_unit_test(dates),
		cmocka_unit_test(unusual_numbers_are_digits),
		cmocka_unit_test(half_of_the_ring_is_for_important_lines),
		cmocka_unit_test(lines_survive_the_wrap),
		cmocka_unit_test(no_file_is_no_log),
		cmocka_unit_test(lines_reach_the_file),
		cmocka_unit_test(a_moved_file_is_opened_again),
		cmocka_unit_test(a_torn_end_is_ended_first),
		cmocka_unit_test(a_full_disk_drops_and_counts),
		cmocka_unit_test(a_disk_that_fills_up_and_recovers),
		cmocka_unit_test(a_short_trouble_loses_nothing),
		cmocka_unit_test(a_fifo_without_reader_drops_and_counts),
		cmocka_unit_test(a_reader_that_goes_away),
		cmocka_unit_test(a_reader_that_sleeps),
		cmocka_unit_test(blocks_outlive_a_flood),
		cmocka_unit_test(standard_output_may_be_anything),
		cmocka_unit_test(two_workers_at_once),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
