#include "proxy/framing/dns_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "dns/query.h"
#include "strict_json.h"

/* "key=value" by "key=value", as they stand behind a '?'. */
static struct dns_json_question asked(const char *text)
{
	struct dns_json_question question = { .is_broken = false };
	while (*text) {
		size_t len = strcspn(text, "&"), key = strcspn(text, "=&");
		size_t value = key < len ? key + 1 : len;
		dns_json_take(&question, slice_of(text, key), slice_of(text + value, len - value));
		text += len + (text[len] == '&');
	}
	return question;
}

static void questions(void **state)
{
	static const struct {
		const char *text;
		const char *name; /* NULL: none that could be asked */
		uint16_t type;
		uint16_t flags;
		bool dnssec_ok;
	} rows[] = {
		{ "name=example.com", "example.com.", 1, 0x120, false },
		{ "name=example.com.&type=AAAA", "example.com.", 28, 0x120, false },
		{ "type=aaaa&name=example.com", "example.com.", 28, 0x120, false },
		{ "name=ExAmPlE.com&type=28&cd=1", "ExAmPlE.com.", 28, 0x130, false },
		{ "name=a&type=TYPE65535&do=true&cd=true", "a.", 65535, 0x130, true },
		{ "name=a&do=1&cd=0", "a.", 1, 0x120, true },
		{ "name=a&do=false&cd=", "a.", 1, 0x120, false },
		{ "name=a&do", "a.", 1, 0x120, false },
		{ "name=.", ".", 1, 0x120, false },
		{ "name=a%2eb", "a.b.", 1, 0x120, false },
		{ "name=a%5c046b", "a\\046b.", 1, 0x120, false },
		{ "name=a\\046b", "a\\046b.", 1, 0x120, false },
		{ "name=a&name=b&type=A&type=AAAA", "a.", 1, 0x120, false },
		{ "name=a&ct=application/x&edns_client_subnet=0.0.0.0/0", "a.", 1, 0x120, false },
		{ "", NULL, 0, 0, false },
		{ "type=A", NULL, 0, 0, false },
		{ "name=", NULL, 0, 0, false },
		{ "name", NULL, 0, 0, false },
		{ "name=a..b", NULL, 0, 0, false },
		{ "name=.a", NULL, 0, 0, false },
		{ "name=%", NULL, 0, 0, false },
		{ "name=&name=a", NULL, 0, 0, false },
		{ "name=a123456789012345678901234567890123456789012345678901234567890123", NULL, 0,
			0, false },
		{ "name=a&type=", NULL, 0, 0, false },
		{ "name=a&type=NOSUCH", NULL, 0, 0, false },
		{ "name=a&type=65536", NULL, 0, 0, false },
		{ "name=a&type=-1", NULL, 0, 0, false },
		{ "name=a&type=1x", NULL, 0, 0, false },
		{ "name=a&type=99999999999999999999", NULL, 0, 0, false },
		{ "name=a&cd=2", NULL, 0, 0, false },
		{ "name=a&do=yes", NULL, 0, 0, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t buffer[DNS_JSON_QUESTION_MAX];
		char name[DNS_NAME_TEXT_MAX];
		struct writer to = writer_of(buffer, sizeof buffer);
		struct dns_json_question question = asked(rows[i].text);
		struct dns_query query;
		if (dns_json_write_question(&to, &question) != (rows[i].name != NULL))
			fail_msg("row %zu", i);
		if (!rows[i].name)
			continue;
		assert_int_equal(dns_query_open(&query, writer_slice(&to)), DNS_QUERY_FINE);
		assert_string_equal(dns_name_text(query.name, name), rows[i].name);
		assert_int_equal(query.id, 0);
		assert_int_equal(query.type, rows[i].type);
		assert_int_equal(query.class, DNS_CLASS_IN);
		assert_int_equal(query.flags, rows[i].flags);
		assert_int_equal(query.opt.dnssec_ok, rows[i].dnssec_ok);
	}
}

static struct slice write(char *text, size_t capacity, struct slice message, bool *is_whole)
{
	struct writer to = writer_of(text, capacity);
	assert_true(dns_json_write(&to, message, is_whole));
	assert_true(to.len <= capacity && !to.failed);
	assert_true(json_is_strict(writer_slice(&to)));
	return writer_slice(&to);
}

#define HEAD(flags, counts) "\0\0" flags "\0\1" counts
#define ASKED               "\1a\0\0\1\0\1"
#define STATUS(number, flags)                                                                      \
	"{\"Status\":" number "," flags ",\"Question\":[{\"name\":\"a.\",\"type\":1}]"
#define USUAL   "\"RD\":true,\"RA\":true,\"AD\":false,\"CD\":false"
#define CHECKED "\"RD\":true,\"RA\":true,\"AD\":true,\"CD\":true"
#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static void answers(void **state)
{
	static const struct {
		struct slice message;
		const char *text;
	} rows[] = {
		{ BYTES(HEAD("\x81\x80", "\0\0\0\0\0\0") ASKED),
			STATUS("0", USUAL) ",\"TC\":false}" },
		{ BYTES(HEAD("\x83\xb3", "\0\0\0\0\0\0") ASKED),
			STATUS("3", CHECKED) ",\"TC\":true}" },
		{ BYTES(HEAD("\x81\x80", "\0\2\0\0\0\0") ASKED
			  "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1b\xc0"
			  "\x0c\1b\xc0\x0c\0\1\0\1\0\0\0\2\0\4\1\2\3\4"),
			STATUS("0",
				USUAL) ",\"Answer\":[{\"name\":\"a.\",\"type\":5,\"TTL\":1,"
				       "\"data\":\"b.a.\"},{\"name\":\"b.a.\",\"type\":1,\"TTL\":2,"
				       "\"data\":\"1.2.3.4\"}],\"TC\":false}" },
		/* an empty answer, a SOA, an OPT with an extended error */
		{ BYTES(HEAD("\x81\x83", "\0\0\0\1\0\1") ASKED
			  "\0\0\6\0\1\0\0\0\7\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"
			  "\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x0f\0\x07\0\x0f"
			  "rule\""),
			STATUS("3", USUAL) ",\"Authority\":[{\"name\":\".\",\"type\":6,\"TTL\":7,"
					   "\"data\":\". . 1 2 3 4 5\"}],\"TC\":false,"
					   "\"Comment\":\"EDE 15: rule\\\"\"}" },
		{ BYTES(HEAD("\x81\x80", "\0\0\0\0\0\1") ASKED
			  "\0\0\x29\x04\xd0\0\0\0\0\0\6\0\x0f\0\2\0\x16"),
			STATUS("0", USUAL) ",\"TC\":false,\"Comment\":\"EDE 22\"}" },
		/* both sections; text that JSON must escape */
		{ BYTES(HEAD("\x81\x80", "\0\1\0\1\0\0") ASKED
			  "\xc0\x0c\0\x10\0\1\0\0\0\1\0\6\5x\"\\\n\xff"
			  "\xc0\x0c\0\2\0\1\0\0\0\1\0\3\1.\0"),
			STATUS("0", USUAL) ",\"Answer\":[{\"name\":\"a.\",\"type\":16,\"TTL\":1,"
					   "\"data\":\"\\\"x\\\\034\\\\092\\\\010\\\\255\\\"\"}],"
					   "\"Authority\":[{\"name\":\"a.\",\"type\":2,\"TTL\":1,"
					   "\"data\":\"\\\\046.\"}],\"TC\":false}" },
		/* the additional section is left out; a type nobody knows */
		{ BYTES(HEAD("\x81\x80", "\0\1\0\0\0\1") ASKED
			  "\xc0\x0c\xff\0\0\1\0\0\0\1\0\2\1\2"
			  "\xc0\x0c\0\1\0\1\0\0\0\2\0\4\1\2\3\4"),
			STATUS("0", USUAL) ",\"Answer\":[{\"name\":\"a.\",\"type\":65280,\"TTL\":1,"
					   "\"data\":\"\\\\# 2 0102\"}],\"TC\":false}" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DNS_JSON_LEAST];
		bool is_whole;
		struct slice json = write(text, sizeof text, rows[i].message, &is_whole);
		if (!slice_equals_text(json, rows[i].text))
			fail_msg("row %zu: %.*s", i, (int)json.len, (const char *)json.at);
		assert_true(is_whole);
	}
}

static void what_is_no_answer(void **state)
{
	static const struct slice rows[] = {
		{ NULL, 0 }, BYTES("\0\0\x81\x80"),
		BYTES(HEAD("\1\0", "\0\0\0\0\0\0") ASKED),            /* a question */
		BYTES("\0\0\x81\x80\0\0\0\0\0\0\0\0"),                /* to nothing */
		BYTES(HEAD("\x81\x80", "\0\1\0\0\0\0") ASKED "\xc0"), /* less than it says */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DNS_JSON_LEAST];
		struct writer to = writer_of(text, sizeof text);
		bool is_whole;
		assert_false(dns_json_write(&to, rows[i], &is_whole));
	}
}

/* As many TXT records of `len` bytes as there are, in as little room as there may be. */
static void room_runs_out(void **state)
{
	(void)state;
	for (size_t room = DNS_JSON_LEAST; room <= DNS_JSON_MAX; room += 997)
		for (unsigned count = 1; count <= 200; count += 66) {
			uint8_t message[65535];
			struct writer to = writer_of(message, sizeof message);
			static const char head[] = HEAD("\x81\x80", "");
			writer_bytes(&to, head, sizeof head - 1);
			writer_u16(&to, (uint16_t)count);
			writer_u32(&to, 0);
			writer_bytes(&to, ASKED, sizeof ASKED - 1);
			for (unsigned i = 0; i < count; i++) {
				writer_bytes(&to, "\xc0\x0c\0\x10\0\1\0\0\0\1", 10);
				writer_u16(&to, 201);
				writer_u8(&to, 200);
				writer_zeros(&to, 200);
			}
			assert_false(to.failed);
			static char text[DNS_JSON_MAX];
			bool is_whole;
			struct slice json = write(text, room, writer_slice(&to), &is_whole);
			char *copy = strndup((const char *)json.at, json.len);
			bool says_so = strstr(copy, "\"TC\":true") != NULL;
			free(copy);
			assert_int_equal(says_so, !is_whole);
			assert_true(is_whole || (json.len <= room && json.len > room - 2500));
			assert_true(is_whole || count > 1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions),
		cmocka_unit_test(answers),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(room_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
