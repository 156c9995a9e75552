#include "proxy/replay/log_line.h"

#include "dns/rdata_text.h"
#include "dns/types.h"
#include "tests/unit/rules_fixture.h"

#define AWS                                                                                        \
	"{\"version\":\"1.100000\",\"account_id\":\"210987654321\",\"region\":\"eu-central-1\","   \
	"\"vpc_id\":\"vpc-0c0ffee0\",\"query_timestamp\":\"2026-03-04T05:06:07Z\","                \
	"\"query_name\":\"Beacon.bad.example.\",\"query_type\":\"A\",\"query_class\":\"IN\","      \
	"\"rcode\":\"NXDOMAIN\",\"answers\":[],\"srcaddr\":\"192.0.2.17\",\"srcport\":\"51413\","  \
	"\"transport\":\"UDP\",\"srcids\":{\"instance\":\"i-0123\"},"                              \
	"\"firewall_rule_group_id\":\"rslvr-frg-9\",\"firewall_rule_action\":\"BLOCK\","           \
	"\"firewall_domain_list_id\":\"rslvr-fdl-1\"}"

#define OURS                                                                                       \
	"{\"vpc_id\":\"lan\",\"query_timestamp\":\"1999-12-31T23:59:59Z\","                        \
	"\"query_name\":\"a\\\\034b.example.\",\"query_type\":\"65400\",\"query_class\":\"CH\","   \
	"\"rcode\":\"NOERROR\",\"answers\":[{\"Rdata\":\"\\\\# 1 FF\",\"Type\":\"65400\","         \
	"\"Class\":\"IN\"}],\"srcaddr\":\"2001:db8::1\",\"srcport\":\"1\",\"transport\":\"DOH\","  \
	"\"srcids\":{},\"firewall_rule_group_id\":\"no\",\"firewall_rule_action\":\"BLOCK\","      \
	"\"ext\":{\"view\":\"lan\",\"client_id\":\"anna\",\"action\":\"ALERT\","                   \
	"\"rule_group\":\"base\",\"rule\":\"see\",\"list\":\"odd\",\"entry\":\"*.example.\","      \
	"\"matched_name\":\"x.example.\",\"hop\":2,\"monitored\":[\"a\",\"}\"],"                   \
	"\"policy_hash\":\"c0ffee\",\"answers_truncated\":true}}"

static bool read_text(struct log_line *line, const char *text)
{
	memset(line, 0xa5, sizeof *line);
	return log_line_read(line, slice_of_text(text));
}

static void check_text(struct slice is, const char *expected)
{
	if (!slice_equals_text(is, expected))
		fail_msg("is \"%.*s\", not \"%s\"", (int)is.len, is.at, expected);
}

static void check_name(const struct dns_name *name, const char *expected)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(dns_name_text(dns_name_slice(name), text), expected);
}

static void check_aws(const struct log_line *line)
{
	static const struct address client = { { [10] = 0xff, 0xff, 192, 0, 2, 17 } };
	assert_int_equal(line->time_s, 1772600767);
	check_name(&line->name, "Beacon.bad.example.");
	check_name(&line->lower, "beacon.bad.example.");
	assert_int_equal(line->type, DNS_TYPE_A);
	assert_int_equal(line->class, DNS_CLASS_IN);
	assert_int_equal(line->rcode, DNS_RCODE_NXDOMAIN);
	assert_true(line->has_client);
	assert_memory_equal(&line->client, &client, sizeof client);
	assert_true(line->is_datagram);
	assert_false(line->has_ext);
	assert_int_equal(line->action, ACTION_BLOCK);
	check_text(line->view, "vpc-0c0ffee0");
	check_text(line->group, "rslvr-frg-9");
	check_text(line->list, "rslvr-fdl-1");
	check_text(line->rule, "");
	assert_int_equal(line->answer_count, 0);
	assert_false(line->is_truncated);
}

static void the_record_of_aws(void **state)
{
	struct log_line line;
	(void)state;
	assert_true(read_text(&line, AWS));
	check_aws(&line);
}

static void ours_says_more(void **state)
{
	struct log_line line;
	(void)state;
	assert_true(read_text(&line, OURS));
	assert_int_equal(line.time_s, 946684799);
	check_name(&line.name, "a\\034b.example.");
	assert_int_equal(line.type, 65400);
	assert_int_equal(line.class, DNS_CLASS_CH);
	assert_false(line.is_datagram);
	assert_true(line.has_ext);
	assert_int_equal(line.action, ACTION_ALERT);
	assert_int_equal(line.hop, 2);
	assert_true(line.is_truncated);
	check_text(line.view, "lan");
	check_text(line.client_text, "2001:db8::1");
	check_text(line.client_id, "anna");
	check_text(line.group, "base");
	check_text(line.rule, "see");
	check_text(line.list, "odd");
	check_text(line.entry, "*.example.");
	check_text(line.matched_name, "x.example.");
	check_text(line.policy_hash, "c0ffee");
	assert_int_equal(line.answer_count, 1);
	check_text(line.answers[0].rdata, "\\\\# 1 FF");
}

/* The members of AWS's record in every rotation, and backwards, with blanks and strangers between.
 */
static void keys_come_in_any_order(void **state)
{
	static const char *const members[] = { "\"vpc_id\":\"vpc-0c0ffee0\"",
		"\"query_timestamp\":\"2026-03-04T05:06:07Z\"",
		"\"query_name\" : \"Beacon.bad.example.\"", "\"query_type\":\"A\"",
		"\"odd\":{\"query_name\":\"x.\",\"deep\":[[{\"}\":\"\\\"]\"}],[]]}",
		"\"answers\":[ ]", "\"query_class\": \"IN\"", "\"rcode\":\"NXDOMAIN\"",
		"\"srcaddr\":\"192.0.2.17\"", "\"transport\":\"UDP\"", "\"n\":-1.5e3", "\"t\":true",
		"\"firewall_rule_group_id\":\"rslvr-frg-9\"", "\"firewall_rule_action\":\"BLOCK\"",
		"\"firewall_domain_list_id\":\"rslvr-fdl-1\"" };
	enum { COUNT = sizeof members / sizeof *members };
	(void)state;
	for (unsigned turn = 0; turn < 2 * COUNT; turn++) {
		char text[2048];
		struct log_line line;
		size_t len = 0;
		for (unsigned i = 0; i < COUNT; i++) {
			unsigned at = (turn + i) % COUNT;
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
				i ? " , " : " { ", members[turn < COUNT ? at : COUNT - 1 - at]);
		}
		snprintf(text + len, sizeof text - len, " } ");
		if (!read_text(&line, text))
			fail_msg("not read: %s", text);
		check_aws(&line);
	}
}

static void what_is_no_line(void **state)
{
	static const char *const texts[] = { "", " ", "{}", "[]", "null", "\"a\"", "{", "{\"",
		"{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
		"{\"query_name\":\"a.\"}", "{\"query_type\":\"A\"}",
		"{\"query_name\":\"\",\"query_type\":\"A\"}",
		"{\"query_name\":\"a..b.\",\"query_type\":\"A\"}",
		"{\"query_name\":\"a.\",\"query_type\":\"NONSENSE\"}",
		"{\"query_name\":\"a.\",\"query_type\":\"65536\"}",
		"{\"query_name\":null,\"query_type\":\"A\"}",
		"{\"query_name\":{\"query_name\":\"a.\"},\"query_type\":\"A\"}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\"} x",
		"{\"query_name\":\"a.\",\"query_type\":\"A\"}{}",
		"{\"query_name\":\"a.\" \"query_type\":\"A\"}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\",\"answers\":[}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\",\"answers\":[1]}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\",\"x\":[[]}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\",\"x\":}",
		"{\"query_name\":\"a.\",\"query_type\":\"A\",\"x\":\"\\\"}" };
	struct log_line line;
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (read_text(&line, texts[i]))
			fail_msg("read: %s", texts[i]);
	assert_true(read_text(&line, "{\"query_name\":\"a.\",\"query_type\":\"A\"}"));
	assert_int_equal(line.time_s, 0);
	assert_false(line.has_client);
	assert_false(line.has_view);
}

/* Cut off anywhere, a line is none. */
static void half_a_line_is_none(void **state)
{
	struct log_line line;
	(void)state;
	for (size_t len = 0; len < sizeof OURS - 1; len++) {
		char *text =
			malloc(len ? len : 1); /* of its own, so that a sanitizer sees the end */
		assert_non_null(text);
		memcpy(text, OURS, len);
		assert_false(log_line_read(&line, slice_of(text, len)));
		free(text);
	}
}

static void clients_that_are_not_told(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = { { "192.0.2.1", true }, { "::1", true }, { "", false },
		{ "9f0e1d2c3b4a5968", false }, { "192.0.2.1/24", false },
		{ "192.0.2.1\\u0000", false } };
	struct log_line line;
	char text[256];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text,
			"{\"query_name\":\"a.\",\"query_type\":\"A\",\"srcaddr\":\"%s\"}",
			cases[i].text);
		assert_true(read_text(&line, text));
		assert_int_equal(line.has_client, cases[i].has);
		check_text(line.client_text, cases[i].text);
	}
}

static void what_was_judged(void **state)
{
	static const struct {
		const char *rest;
		bool was;
	} cases[] = { { "", true }, { ",\"vpc_id\":\"v\"", true }, { ",\"vpc_id\":\"\"", false },
		{ ",\"ext\":{\"rate_limited\":true}", false },
		{ ",\"ext\":{\"rate_limited\":true,\"action\":\"ALLOW\"}", true },
		{ ",\"ext\":{\"rate_limited\":true,\"reason\":\"exception\"}", true },
		{ ",\"ext\":{\"rate_limited\":false}", true } };
	struct log_line line;
	char text[256];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text, "{\"query_name\":\"a.\",\"query_type\":\"A\"%s}",
			cases[i].rest);
		assert_true(read_text(&line, text));
		assert_int_equal(log_line_was_admitted(&line), cases[i].was);
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t time_s;
	} cases[] = { { "1970-01-01T00:00:01Z", 1 }, { "2000-02-29T00:00:00Z", 951782400 },
		{ "2024-12-31T23:59:59.999Z", 1735689599 }, { "2026-13-01T00:00:00Z", 0 },
		{ "2026-00-01T00:00:00Z", 0 }, { "2026-01-00T00:00:00Z", 0 },
		{ "2026-01-01 00:00:00Z", 0 }, { "2026-01-01T00:00", 0 }, { "tomorrow", 0 },
		{ "2100-03-01T00:00:00Z", 4107542400 } };
	struct log_line line;
	char text[256];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text,
			"{\"query_name\":\"a.\",\"query_type\":\"A\",\"query_timestamp\":\"%s\"}",
			cases[i].text);
		assert_true(read_text(&line, text));
		assert_int_equal(line.time_s, cases[i].time_s);
	}
}

static void escapes_are_undone(void **state)
{
	static const struct {
		const char *escaped, *plain;
	} cases[] = { { "", "" }, { "plain", "plain" }, { "a\\\"b\\\\c\\/d", "a\"b\\c/d" },
		{ "\\b\\f\\n\\r\\t", "\b\f\n\r\t" },
		{ "\\u0041\\u00e4\\u20AC", "A\xc3\xa4\xe2\x82\xac" },
		{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80" }, { "\\ud83d", "\xef\xbf\xbd" },
		{ "\\ude00x", "\xef\xbf\xbdx" },
		{ "\\ud83d\\u0041",
			"\xef\xbf\xbd"
			"A" },
		{ "\\u12", "\\u12" }, { "\\x", "\\x" } };
	char buffer[64];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_text(log_line_plain(slice_of_text(cases[i].escaped), buffer, sizeof buffer),
			cases[i].plain);
	check_text(log_line_plain(slice_of_text("\\n12345"), buffer, 4), "\n123");
}

/* ---- answers ---- */

struct answer_case {
	const char *ext;     /* members of "ext" */
	const char *answers; /* "TYPE RDATA;TYPE RDATA" */
	const char *records; /* "OWNER TYPE RDATA;" as they are in the message */
	unsigned left_out;
	enum log_answer_extent extent;
};

static void answer_text(const char *answers, char *text, size_t size)
{
	size_t len = 0;
	text[0] = '\0';
	while (*answers) {
		size_t type_len = strcspn(answers, " ");
		size_t rdata_len = strcspn(answers + type_len + 1, ";");
		len += (size_t)snprintf(text + len, size - len,
			"%s{\"Rdata\":\"%.*s\",\"Type\":\"%.*s\",\"Class\":\"IN\"}", len ? "," : "",
			(int)rdata_len, answers + type_len + 1, (int)type_len, answers);
		answers += type_len + 1 + rdata_len;
		answers += *answers == ';';
	}
}

static void records_text(struct slice message, char *text, size_t size)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	struct writer to = writer_of(text, size - 1);
	if (message.len > 0) {
		assert_int_equal(dns_answer_open(&answer, message), 0);
		dns_record_walk_begin(&walk, &answer);
		while (dns_record_next(&walk, &record)) {
			dns_name_write_text(&to, dns_name_slice(&record.owner));
			writer_u8(&to, ' ');
			dns_type_write(&to, record.type);
			writer_u8(&to, ' ');
			dns_rdata_write_text(&to, &answer, &record);
			writer_u8(&to, ';');
		}
	}
	assert_false(to.failed);
	text[to.len] = '\0';
}

static void check_answer(const struct answer_case *one)
{
	static uint8_t buffer[LOG_LINE_MESSAGE_MAX];
	char answers[4096], text[8192], records[8192];
	struct log_line line;
	unsigned left_out;
	answer_text(one->answers, answers, sizeof answers);
	snprintf(text, sizeof text,
		"{\"vpc_id\":\"v\",\"query_name\":\"q.a.test.\",\"query_type\":\"A\","
		"\"answers\":[%s],\"ext\":{%s}}",
		answers, one->ext);
	if (!read_text(&line, text))
		fail_msg("not read: %s", text);
	records_text(log_line_answer(&line, buffer, &left_out), records, sizeof records);
	if (strcmp(records, one->records) != 0)
		fail_msg("%s: is %s not %s", text, records, one->records);
	assert_int_equal(left_out, one->left_out);
	assert_int_equal(log_line_extent(&line, left_out), one->extent);
}

#define ALERT "\"action\":\"ALERT\","
#define BLOCK "\"action\":\"BLOCK\","

static void an_answer_is_a_message_again(void **state)
{
	static const struct answer_case cases[] = {
		{ "", "", "", 0, LOG_ANSWER_WHOLE },
		{ "", "A 192.0.2.1;AAAA 2001:db8::1;AAAA ::ffff:192.0.2.1",
			"q.a.test. A 192.0.2.1;q.a.test. AAAA 2001:db8::1;"
			"q.a.test. AAAA ::ffff:192.0.2.1;",
			0, LOG_ANSWER_WHOLE },
		{ "", "CNAME b.test.;CNAME C.test;A 192.0.2.1",
			"q.a.test. CNAME b.test.;b.test. CNAME C.test.;C.test. A 192.0.2.1;", 0,
			LOG_ANSWER_WHOLE },
		{ "", "DNAME b.test.;CNAME q.b.test.",
			"a.test. DNAME b.test.;q.a.test. CNAME q.b.test.;", 0, LOG_ANSWER_WHOLE },
		{ "", "DNAME b.test.;CNAME z.b.test.",
			"q.a.test. DNAME b.test.;q.a.test. CNAME z.b.test.;", 0, LOG_ANSWER_WHOLE },
		{ "", "DNAME b.test.", "q.a.test. DNAME b.test.;", 0, LOG_ANSWER_WHOLE },
		{ "", "HTTPS \\\\# 3 000100", "q.a.test. HTTPS \\# 3 000100;", 0,
			LOG_ANSWER_WHOLE },
		{ "", "HTTPS 1 . alpn=h2,h3 ipv6hint=2001:db8::1 ipv4hint=192.0.2.1,192.0.2.2",
			"q.a.test. HTTPS \\# 35 "
			"00010000040008C0000201C00002020006001020010DB8000000000000000000000001;",
			0, LOG_ANSWER_WHOLE },
		{ "", "SVCB 0 s.test.", "q.a.test. SVCB \\# 10 00000173047465737400;", 0,
			LOG_ANSWER_WHOLE },
		/* Nobody judges these; of the others what is not understood is counted. */
		{ "", "TXT \\\"x\\\";MX 10 m.test.;RRSIG x", "", 0, LOG_ANSWER_WHOLE },
		{ "",
			"A x;AAAA 192.0.2.1.1;A 2001:db8::1;CNAME a..b;HTTPS x;"
			"SVCB \\\\# 2 00;A 192.0.2.1",
			"q.a.test. A 192.0.2.1;", 6, LOG_ANSWER_PART },
		{ "\"answers_truncated\":true", "A 192.0.2.1", "q.a.test. A 192.0.2.1;", 0,
			LOG_ANSWER_PART },
		/* A block: the records are ours, the name that decided is known. */
		{ BLOCK "\"hop\":0", "CNAME our.test.", "", 0, LOG_ANSWER_UNKNOWN },
		{ BLOCK "\"hop\":2,\"matched_name\":\"bad.test.\"", "CNAME our.test.",
			"q.a.test. CNAME bad.test.;", 0, LOG_ANSWER_PART },
		{ BLOCK "\"matched_address\":\"192.0.2.9\",\"matched_name\":\"q.a.test.\"", "",
			"q.a.test. A 192.0.2.9;", 0, LOG_ANSWER_PART },
		{ BLOCK "\"matched_address\":\"2001:db8::9\",\"matched_name\":\"b.test.\"", "",
			"q.a.test. CNAME b.test.;b.test. AAAA 2001:db8::9;", 0, LOG_ANSWER_PART },
		{ BLOCK "\"reason\":\"rebinding\",\"matched_name\":\"q.a.test.\"", "",
			"q.a.test. A 10.0.0.1;", 0, LOG_ANSWER_PART },
		/* What could not be followed. */
		{ "\"reason\":\"policy_failed\"},\"rcode\":\"SERVFAIL\",\"x\":{", "",
			"q.a.test. CNAME q.a.test.;", 0, LOG_ANSWER_PART },
		{ "\"reason\":\"policy_failed\"", "A 192.0.2.1", "q.a.test. A 192.0.2.1;", 0,
			LOG_ANSWER_WHOLE },
		/* An alert about what had no room in a datagram. */
		{ ALERT "\"hop\":1,\"matched_name\":\"b.test.\"", "", "q.a.test. CNAME b.test.;", 0,
			LOG_ANSWER_WHOLE },
		{ ALERT "\"hop\":1,\"matched_name\":\"b.test.\"", "CNAME b.test.",
			"q.a.test. CNAME b.test.;", 0, LOG_ANSWER_WHOLE },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_answer(&cases[i]);
}

static void more_answers_than_are_kept(void **state)
{
	char text[8192];
	struct log_line line;
	size_t len = (size_t)snprintf(
		text, sizeof text, "{\"query_name\":\"a.\",\"query_type\":\"A\",\"answers\":[");
	(void)state;
	for (unsigned i = 0; i <= LOG_LINE_ANSWERS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			"%s{\"Type\":\"A\",\"Rdata\":\"192.0.2.%u\"}", i ? "," : "", i);
	snprintf(text + len, sizeof text - len, "]}");
	assert_true(read_text(&line, text));
	assert_int_equal(line.answer_count, LOG_LINE_ANSWERS_MAX);
	assert_true(line.is_truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_record_of_aws),
		cmocka_unit_test(ours_says_more),
		cmocka_unit_test(keys_come_in_any_order),
		cmocka_unit_test(what_is_no_line),
		cmocka_unit_test(half_a_line_is_none),
		cmocka_unit_test(clients_that_are_not_told),
		cmocka_unit_test(what_was_judged),
		cmocka_unit_test(times),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(an_answer_is_a_message_again),
		cmocka_unit_test(more_answers_than_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
