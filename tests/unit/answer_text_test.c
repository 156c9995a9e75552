#include "proxy/explain/answer_text.h"

#include "tests/unit/rules_fixture.h"

#include "dns/rdata_text.h"

static uint8_t buffer[DNS_MESSAGE_MAX];

/* The records of an answer as "owner TYPE rdata, ...". */
static const char *records_of(const struct answer_text *answer)
{
	static char text[65536];
	struct writer to = writer_of(text, sizeof text - 1);
	struct dns_answer opened;
	struct dns_record_walk walk;
	struct dns_record record;
	assert_int_equal(dns_answer_open(&opened, answer->message), 0);
	dns_record_walk_begin(&walk, &opened);
	while (dns_record_next(&walk, &record)) {
		if (to.len)
			writer_text(&to, ", ");
		dns_name_write_text(&to, dns_name_slice(&record.owner));
		writer_u8(&to, ' ');
		dns_type_write(&to, record.type);
		writer_u8(&to, ' ');
		dns_rdata_write_text(&to, &opened, &record);
	}
	text[to.len] = '\0';
	return text;
}

static bool read_for(struct answer_text *answer, const char *name, const char *text)
{
	struct dns_name question = fixture_name(name);
	return answer_text_read(answer, slice_of_text(text), dns_name_slice(&question), DNS_TYPE_A,
		buffer, sizeof buffer);
}

static void records_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *records;
		unsigned left_out;
	} rows[] = {
		{ "a.test. CNAME b.test.", "a.test. CNAME b.test.", 0 },
		{ "a.test 300 IN CNAME b.test\nb.test 1h A 192.0.2.1\n",
			"a.test. CNAME b.test., b.test. A 192.0.2.1", 0 },
		{ "a.test. A 192.0.2.1\n\tA 192.0.2.2\n",
			"a.test. A 192.0.2.1, a.test. A 192.0.2.2", 0 },
		{ "test. DNAME example.\na.test. CNAME a.example.",
			"test. DNAME example., a.test. CNAME a.example.", 0 },
		{ "a.test. HTTPS 1 b.test. alpn=\"h2,h3\" ipv4hint=192.0.2.1", NULL, 0 },
		{ "a.test. HTTPS 0 b.test.", NULL, 0 },
		{ "a.test. SVCB \\# 5 0001 0162 00", NULL, 0 },
		{ "a.test. AAAA 2001:db8::1 ; a comment", "a.test. AAAA 2001:db8::1", 0 },
		{ "a.test. TYPE1 \\# 4 c0000201", "a.test. A 192.0.2.1", 0 },
		{ "a.test. A 192.0.2.1\na.test. A 192.0.2\n", "a.test. A 192.0.2.1", 1 },
		{ "a.test. RRSIG A 8 2 60 1 1 1 test. AAAA\na.test. A 192.0.2.1",
			"a.test. A 192.0.2.1", 1 },
		{ ";; QUESTION SECTION:\n;a.test. IN A\n\n;; ANSWER SECTION:\n"
		  "a.test. 60 IN A 192.0.2.1\n\n;; AUTHORITY SECTION:\ntest. 60 IN NS ns.test.\n",
			"a.test. A 192.0.2.1", 0 },
		{ ";; ANSWER SECTION:\r\na.test. 60 IN A 192.0.2.1\r\n", "a.test. A 192.0.2.1", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer_text answer;
		if (!read_for(&answer, "a.test", rows[i].text))
			fail_msg("\"%s\": %s", rows[i].text, answer.error);
		if (rows[i].records)
			assert_string_equal(records_of(&answer), rows[i].records);
		assert_int_equal(answer.left_out, rows[i].left_out);
	}
}

/* Where an HTTPS record leads, and the addresses that come with it. */
static void targets_and_hints_are_kept(void **state)
{
	(void)state;
	static const uint8_t wanted[] = { 0, 1, 1, 'b', 0, 0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2,
		0, 6, 0, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct answer_text answer;
	struct dns_answer opened;
	struct dns_record_walk walk;
	struct dns_record record;
	assert_true(read_for(&answer, "a.test",
		"a.test. HTTPS 1 b. alpn=\"h2,h3\" ipv6hint=2001:db8::1 port=443 "
		"ipv4hint=\"192.0.2.1,192.0.2.2\""));
	assert_int_equal(dns_answer_open(&opened, answer.message), 0);
	dns_record_walk_begin(&walk, &opened);
	assert_true(dns_record_next(&walk, &record));
	assert_int_equal(record.rdata.len, sizeof wanted);
	assert_memory_equal(record.rdata.at, wanted, sizeof wanted);
}

static void what_is_no_answer_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{ "", "there is no record in it" },
		{ "; nothing\n", "there is no record in it" },
		{ ";; ANSWER SECTION:\n;; Query time: 1 msec\n", "there is no record in it" },
		{ "a.test", "this record is not understood: a.test" },
		{ "a.test. A 1.2.3", "this record is not understood: a.test. A 1.2.3" },
		{ "a.test. HTTPS 65536 b.",
			"this record is not understood: a.test. HTTPS 65536 b." },
		{ "a.test. HTTPS 1", "this record is not understood: a.test. HTTPS 1" },
		{ "a.test. HTTPS 1 . ipv4hint=::1", "this record is not understood: " },
		{ "00000000000000000000000000000000", "it is not a DNS answer" },
		{ "\x01\x02", "it is not a DNS answer" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer_text answer;
		assert_false(read_for(&answer, "a.test", rows[i].text));
		if (strncmp(answer.error, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("\"%s\" is \"%s\"", rows[i].text, answer.error);
	}
}

static void messages_are_taken_raw_and_in_hex(void **state)
{
	(void)state;
	struct fixture_answer made;
	struct answer_text answer;
	struct dns_name name = fixture_name("a.test");
	char hex[2048] = "";
	fixture_answer_begin(&made, dns_name_slice(&name), DNS_TYPE_A);
	fixture_answer_records(&made, "a.test CNAME b.test, b.test A");
	struct slice message = fixture_answer_open(&made)->message;
	assert_true(answer_text_read(
		&answer, message, dns_name_slice(&name), DNS_TYPE_A, buffer, sizeof buffer));
	assert_int_equal(answer.record_count, 2);
	for (size_t i = 0; i < message.len; i++)
		snprintf(hex + strlen(hex), 4, "%02X%s", message.at[i], i % 16 == 15 ? "\n" : "");
	assert_true(read_for(&answer, "A.TEST", hex));
	assert_string_equal(records_of(&answer), "a.test. CNAME b.test., b.test. A 192.0.2.1");
	assert_false(read_for(&answer, "b.test", hex));
	assert_string_equal(answer.error, "it answers another question");
}

/* Whatever the room is, what comes out is whole. */
static void a_small_buffer_is_no_harm(void **state)
{
	(void)state;
	struct answer_text answer;
	struct dns_name name = fixture_name("a.test");
	struct slice text = slice_of_text("a.test. CNAME b.test.\nb.test. A 192.0.2.1\n");
	unsigned last = 0;
	for (size_t capacity = 0; capacity < 128; capacity++) {
		uint8_t *small = malloc(capacity + 1);
		assert_non_null(small);
		bool good = answer_text_read(
			&answer, text, dns_name_slice(&name), DNS_TYPE_A, small, capacity);
		assert_true(good == (answer.record_count > 0));
		assert_true(answer.record_count >= last);
		last = answer.record_count;
		free(small);
	}
	assert_int_equal(last, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(targets_and_hints_are_kept),
		cmocka_unit_test(what_is_no_answer_is_told),
		cmocka_unit_test(messages_are_taken_raw_and_in_hex),
		cmocka_unit_test(a_small_buffer_is_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
