/* SVCB and HTTPS as people write them: what comes of it, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/config/svcb_text.h"

/* False when the text is none. */
static bool read_text(const char *text, struct writer *to)
{
	static struct zone_text zone;
	struct zone_entry entry;
	char line[512] = " HTTPS ";
	const struct dns_name root = { .len = 1 };
	strncat(line, text, sizeof line - strlen(line) - 1);
	zone_text_begin(&zone, slice_of_text(line));
	assert_true(zone_text_next(&zone, &entry));
	assert_int_equal(entry.fault, LIST_REJECT_NONE);
	return svcb_text_read(to, entry.rdata, entry.rdata_count, &root);
}

static void test_what_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text, *rdata;
		size_t len;
	} cases[] = {
#define RDATA(bytes) bytes, sizeof(bytes) - 1
		{ "0 a.b.", RDATA("\0\0\1a\1b\0") },
		{ "1 .", RDATA("\0\1\0") },
		{ "65535 a", RDATA("\377\377\1a\0") },
		{ "1 . alpn=h2,h3", RDATA("\0\1\0\0\1\0\6\2h2\2h3") },
		{ "1 . port=8443", RDATA("\0\1\0\0\3\0\2\x20\xfb") },
		{ "1 . no-default-alpn", RDATA("\0\1\0\0\2\0\0") },
		{ "1 . ipv4hint=192.0.2.1,192.0.2.2",
			RDATA("\0\1\0\0\4\0\10\300\0\2\1\300\0\2\2") },
		{ "1 . ipv6hint=2001:db8::1",
			RDATA("\0\1\0\0\6\0\20\x20\1\r\270\0\0\0\0\0\0\0\0\0\0\0\1") },
		{ "1 . ipv6hint=::ffff:192.0.2.1",
			RDATA("\0\1\0\0\6\0\20\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1") },
		{ "1 . ech=AAEC", RDATA("\0\1\0\0\5\0\3\0\1\2") },
		{ "1 . ech=AAE=", RDATA("\0\1\0\0\5\0\2\0\1") },
		{ "1 . key65280", RDATA("\0\1\0\377\0\0\0") },
		/* In the order of their numbers, as receivers ask for (RFC 9460 2.2). */
		{ "1 . port=1 alpn=x", RDATA("\0\1\0\0\1\0\2\1x\0\3\0\2\0\1") },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t bytes[256];
		struct writer to = writer_of(bytes, sizeof bytes);
		assert_true(read_text(cases[i].text, &to));
		assert_int_equal(to.len, cases[i].len);
		assert_memory_equal(bytes, cases[i].rdata, to.len);
	}
}

static void test_what_is_none(void **state)
{
	(void)state;
	static const char *const wrong[] = { "", "1", "65536 .", "-1 .", "x .", "1 ..", "\"1\" .",
		"1 \".\"", "1 . alpn", "1 . alpn=", "1 . alpn=a,,b", "1 . port=", "1 . port=65536",
		"1 . port=8443x", "1 . no-default-alpn=1", "1 . ipv4hint=2001:db8::1",
		"1 . ipv4hint=::ffff:192.0.2.1", "1 . ipv6hint=192.0.2.1",
		"1 . ipv4hint=192.0.2.1,x", "1 . ech=", "1 . ech=AAE", "1 . ech=?AEC",
		"1 . port=1 port=2", "1 . key3=x", "1 . key3 port=1", "1 . key65536", "1 . key",
		"1 . what=1", "1 . \"port=1\"",
		"1 . key8 key9 key10 key11 key12 key13 key14 key15 key16 key17 key18 key19 key20" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		uint8_t bytes[256];
		struct writer to = writer_of(bytes, sizeof bytes);
		if (read_text(wrong[i], &to))
			fail_msg("\"%s\" was read", wrong[i]);
	}
}

static void test_what_does_not_fit(void **state)
{
	(void)state;
	static const char text[] = "1 a. alpn=h2 ipv4hint=192.0.2.1";
	enum { LEN = 2 + 3 + 4 + 3 + 4 + 4 };
	for (size_t room = 0; room <= LEN; room++) {
		uint8_t bytes[LEN];
		struct writer to = writer_of(bytes, room);
		assert_int_equal(read_text(text, &to), room == LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_what_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
