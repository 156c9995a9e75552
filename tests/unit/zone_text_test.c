/* Master files as words: what RFC 1035 5 and BIND allow, and what must not spread when it is
 * wrong. */
#include "tests/unit/rules_fixture.h"

#include "rules/lists/zone_text.h"

static void write_words(struct writer *to, const struct zone_entry *entry)
{
	for (size_t i = 0; i < entry->rdata_count; i++) {
		writer_text(to, entry->rdata[i].is_quoted ? " \"" : " ");
		writer_slice_bytes(to, entry->rdata[i].text);
		if (entry->rdata[i].is_quoted)
			writer_text(to, "\"");
	}
}

/* "line owner ttl type words" each; "-" for the owner before; "!fault" for faults. */
static void read_all(struct slice text, struct writer *to)
{
	static struct zone_text zone;
	struct zone_entry entry;
	zone_text_begin(&zone, text);
	while (zone_text_next(&zone, &entry)) {
		writer_decimal(to, entry.line);
		writer_text(to, " ");
		if (entry.is_owner_unknown)
			writer_text(to, "?");
		else if (entry.owner.len == 0)
			writer_text(to, "-");
		writer_slice_bytes(to, entry.owner);
		assert_true(entry.text.len > 0);
		if (entry.fault) {
			writer_text(to, " !");
			writer_text(to, list_reject_text(entry.fault));
		} else {
			writer_text(to, " ");
			writer_decimal(to, entry.ttl_s);
			writer_text(to, " ");
			dns_type_write(to, entry.type);
			write_words(to, &entry);
		}
		writer_text(to, "\n");
	}
}

static void check(const char *text, size_t len, const char *expected)
{
	static char heard[65536];
	struct writer to = writer_of(heard, sizeof heard - 1);
	/* In exact memory, so that a sanitizer sees a byte read too far. */
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	read_all(slice_of(copy, len), &to);
	free(copy);
	assert_false(to.failed);
	heard[to.len] = '\0';
	assert_string_equal(heard, expected);
}

#define SYNTAX "!not a line of this format\n"

static void test_entries(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{ "", "" },
		{ "\n \n\t;c\n;c\r\n\r\n", "" },
		{ "a A 192.0.2.1", "1 a 60 A 192.0.2.1\n" },
		{ "a\tA\t192.0.2.1\r\n", "1 a 60 A 192.0.2.1\n" },
		/* TTL and class in either order, each or none */
		{ "a 5 IN A x\n", "1 a 5 A x\n" },
		{ "a IN 5 A x\n", "1 a 5 A x\n" },
		{ "a in a x\n", "1 a 60 A x\n" },
		{ "a 1h30m A x\n", "1 a 5400 A x\n" },
		{ "a 2W1d A x\n", "1 a 1296000 A x\n" },
		{ "a CLASS1 TYPE1 x\n", "1 a 60 A x\n" },
		{ "a CH A x\n", "1 a " SYNTAX },
		{ "a IN IN A x\n", "1 a " SYNTAX },
		{ "a 5 6 A x\n", "1 a " SYNTAX },
		{ "a 2147483648 A x\n", "1 a " SYNTAX },
		{ "a 2147483647 A x\n", "1 a 2147483647 A x\n" },
		/* an owner that looks like something else is an owner */
		{ "IN IN A x\n5 5 A x\nA A A x\n", "1 IN 60 A x\n2 5 5 A x\n3 A 5 A A x\n" },
		/* owners of the line before */
		{ "a A x\n A y\n\tTXT z\n", "1 a 60 A x\n2 - 60 A y\n3 - 60 TXT z\n" },
		/* TTLs: of $TTL, else of the record before, else of the SOA */
		{ "$TTL 30\na 5 A x\nb A x\n", "2 a 5 A x\n3 b 30 A x\n" },
		{ "a 5 A x\nb A x\n$TTL 1m\nc A x\n", "1 a 5 A x\n2 b 5 A x\n4 c 60 A x\n" },
		{ "@ SOA m r 1 2 3 4 99\na A x\n", "1 @ 60 SOA m r 1 2 3 4 99\n2 a 99 A x\n" },
		{ "$TTL 30\n@ SOA m r 1 2 3 4 99\na A x\n",
			"2 @ 30 SOA m r 1 2 3 4 99\n3 a 30 A x\n" },
		/* parentheses, comments, strings */
		{ "@ SOA m r (\n 1 ; serial\n2 3\n 4 (5) )\na A x",
			"1 @ 60 SOA m r 1 2 3 4 5\n5 a 5 A x\n" },
		{ "a ( A ) x;y\n", "1 a 60 A x\n" },
		{ "a TXT \"b;(c\" d;\"e\n", "1 a 60 TXT \"b;(c\" d\n" },
		{ "a TXT \"\"\n", "1 a 60 TXT \"\"\n" },
		{ "a TXT \"b\\\"c\" \\;d\\(\n", "1 a 60 TXT \"b\\\"c\" \\;d\\(\n" },
		{ "a TXT b\"c\" \"d\"e\n", "1 a 60 TXT b\"c\" \"d\" e\n" },
		/* directives */
		{ "$ttl 7\n$origin b.\na A x\n", "3 a 7 A x\n" },
		{ "$TTL\n$TTL x\n$TTL 1 2\na A x\n",
			"1 - " SYNTAX "2 - " SYNTAX "3 - " SYNTAX "4 a 60 A x\n" },
		{ "$INCLUDE /etc/passwd\n$GENERATE 1-9999999 a$ A x\n$X\n$\n",
			"1 - " SYNTAX "2 - " SYNTAX "3 - " SYNTAX "4 - " SYNTAX },
		{ "$ORIGIN a..b\n", "1 - !not a domain name\n" },
		/* not lines of a zone */
		{ "a\n", "1 a " SYNTAX },
		{ "a b\n", "1 a " SYNTAX },
		{ "\"a\" A x\n", "1 ? " SYNTAX },
		{ "a \"A\" x\n", "1 a " SYNTAX },
		{ "||a.example^\n", "1 ||a.example^ " SYNTAX },
		{ "<html>\n<p>x A y\n", "1 <html> " SYNTAX "2 <p>x 60 A y\n" },
		/* what is open does not swallow the file */
		{ "a TXT \"b\nc A x\n", "1 ? " SYNTAX "2 c 60 A x\n" },
		{ "a TXT (\nb A x\nc A x\n", "1 ? " SYNTAX "2 b 60 A x\n3 c 60 A x\n" },
		{ "a A x)\n A y\n", "1 ? " SYNTAX "2 - 60 A y\n" },
		{ "a A x\\", "1 ? " SYNTAX },
		{ "a A x\\\nb A y\n", "1 ? " SYNTAX "2 b 60 A y\n" },
		{ "(\n(\n)\n)", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].text, strlen(rows[i].text), rows[i].expected);
}

/* The numbers: words, their bytes, lines in parentheses. */
static void test_limits(void **state)
{
	(void)state;
	static char text[4 * LIST_LINE_MAX];
	static char expected[4 * LIST_LINE_MAX];
	struct writer to = writer_of(text, sizeof text - 1);
	struct writer out = writer_of(expected, sizeof expected - 1);
	writer_text(&to, "a TXT");
	writer_text(&out, "1 a 60 TXT");
	for (unsigned i = 0; i < ZONE_WORDS_MAX - 2; i++) {
		writer_text(&to, " x");
		writer_text(&out, " x");
	}
	writer_text(&out, "\n");
	check(text, to.len, expected);
	writer_text(&to, " x\nb A y\n");
	check(text, to.len, "1 ? !too long\n2 b 60 A y\n");

	to.len = 0;
	writer_text(&to, "a TXT ");
	memset(text + to.len, 'x', LIST_LINE_MAX);
	to.len += LIST_LINE_MAX;
	writer_text(&to, "\nb A y\n");
	check(text, to.len, "1 ? !too long\n2 b 60 A y\n");
	/* comments do not count */
	to.len = 0;
	writer_text(&to, "a A x ;");
	memset(text + to.len, 'x', LIST_LINE_MAX);
	to.len += LIST_LINE_MAX;
	check(text, to.len, "1 a 60 A x\n");

	for (unsigned lines = ZONE_ENTRY_LINES_MAX - 2; lines < ZONE_ENTRY_LINES_MAX + 2; lines++) {
		to = writer_of(text, sizeof text);
		writer_text(&to, "a A (");
		for (unsigned i = 0; i < lines; i++)
			writer_text(&to, "\n");
		writer_text(&to, "x )");
		bool fits = lines < ZONE_ENTRY_LINES_MAX;
		if (fits) {
			check(text, to.len, "1 a 60 A x\n");
			continue;
		}
		out = writer_of(expected, sizeof expected);
		writer_text(&out, "1 ? " SYNTAX);
		writer_decimal(&out, lines + 1);
		writer_text(&out, " ? " SYNTAX);
		writer_u8(&out, 0);
		check(text, to.len, expected);
	}
}

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *origin; /* NULL: none is known */
		const char *name;   /* NULL: none */
	} rows[] = {
		{ "a", ".", "a." },
		{ "a.", ".", "a." },
		{ "a", "rpz.example", "a.rpz.example." },
		{ "a.", "rpz.example", "a." },
		{ "a.b", "rpz.example", "a.b.rpz.example." },
		{ "@", "rpz.example", "rpz.example." },
		{ "@", ".", "." },
		{ ".", "rpz.example", "." },
		{ "*", "rpz.example", "*.rpz.example." },
		{ "\\@", "rpz.example", "\\064.rpz.example." },
		{ "a\\.", "rpz.example", "a\\046.rpz.example." },
		{ "a\\\\.", "rpz.example", "a\\092." },
		{ "A/b", "Rpz.example", "A\\047b.Rpz.example." },
		{ "a..b", ".", NULL },
		{ "", ".", NULL },
		{ "a", NULL, NULL },
		{ "@", NULL, NULL },
		{ "a.", NULL, "a." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DNS_NAME_TEXT_MAX];
		struct dns_name origin = { .len = 0 };
		struct dns_name name;
		if (rows[i].origin)
			origin = fixture_name(rows[i].origin);
		bool fine = zone_name_read(&name, slice_of_text(rows[i].text), &origin);
		assert_int_equal(fine, rows[i].name != NULL);
		if (fine)
			assert_string_equal(
				dns_name_text(dns_name_slice(&name), text), rows[i].name);
	}
	/* 255 bytes together, and one more */
	struct dns_name origin = { .len = 192 };
	char text[64];
	struct dns_name name;
	for (size_t at = 0; at < 191;) {
		size_t label = 191 - at - 1 > 60 ? 60 : 191 - at - 1;
		origin.wire[at] = (uint8_t)label;
		memset(origin.wire + at + 1, 'o', label);
		at += label + 1;
	}
	origin.wire[191] = 0;
	memset(text, 'a', sizeof text);
	assert_true(zone_name_read(&name, slice_of(text, 62), &origin));
	assert_int_equal(name.len, 255);
	assert_int_equal(dns_name_check(dns_name_slice(&name)), 255);
	assert_false(zone_name_read(&name, slice_of(text, 63), &origin));
}

static void test_ttls(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ttl_s; /* -1: none */
	} rows[] = {
		{ "0", 0 },
		{ "3600", 3600 },
		{ "1s", 1 },
		{ "1H", 3600 },
		{ "1w2d3h4m5s", 788645 },
		{ "1m1m", 120 },
		{ "1h30", 3630 },
		{ "2147483647", 2147483647 },
		{ "2147483648", -1 },
		{ "99999999999999999999", -1 },
		{ "3551w", -1 },
		{ "3550w", 2147040000 },
		{ "", -1 },
		{ "h", -1 },
		{ "1hh", -1 },
		{ "1x", -1 },
		{ "-1", -1 },
		{ "1.5h", -1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t ttl_s;
		bool fine = zone_ttl_read(slice_of_text(rows[i].text), &ttl_s);
		if (fine != (rows[i].ttl_s >= 0) || (fine && ttl_s != rows[i].ttl_s))
			fail_msg("\"%s\" is %d %u", rows[i].text, fine, fine ? ttl_s : 0);
	}
}

/* A file of nothing but open parentheses is looked at a fixed number of times, not once a line. */
static void test_open_parentheses(void **state)
{
	(void)state;
	enum { LINES = 20000 };
	static char text[2 * LINES];
	static struct zone_text zone;
	struct zone_entry entry;
	uint32_t count = 0;
	for (size_t i = 0; i < LINES; i++)
		memcpy(text + 2 * i, "(\n", 2);
	zone_text_begin(&zone, slice_of(text, sizeof text));
	while (zone_text_next(&zone, &entry)) {
		assert_int_equal(entry.line, ++count);
		assert_int_equal(entry.fault, LIST_REJECT_SYNTAX);
	}
	assert_int_equal(count, LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ttls),
		cmocka_unit_test(test_open_parentheses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
