#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>

#include "base/random.h"
#include "tests/unit/wire.h"

/* 255 bytes: 3 x 64, 1 x 62, root. The longest there is. */
#define LONGEST "3f 61*63 3f 62*63 3f 63*63 3d 64*61 00"

static void checks_uncompressed_names(void **state)
{
	(void)state;
	const struct {
		const char *wire;
		size_t len; /* 0: no name there */
	} rows[] = {
		{ "00", 1 },
		{ "'www.example.com'", 17 },
		{ "'a' ffff", 3 }, /* what follows does not matter */
		{ "03 00ff2e 00", 5 },
		{ "3f 61*63 00", 65 },
		{ LONGEST, 255 },
		{ "3f 61*63 3f 62*63 3f 63*63 3e 64*62 00", 0 }, /* 256 */
		{ "3f 61*63 3f 62*63 3f 63*63 3d 64*61 01 65 00", 0 },
		{ "", 0 },
		{ "01", 0 },
		{ "01 61", 0 }, /* no root label */
		{ "3f 61*62", 0 },
		{ "c00c", 0 },
		{ "01 61 c00c", 0 },
		{ "40 61*64 00", 0 }, /* RFC 2673's bit labels, long gone */
		{ "41 00", 0 },
		{ "80 61*128 00", 0 },
		{ "bf 61*191 00", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(dns_name_check(wire(rows[i].wire)), rows[i].len);
	char all_single[255 * 5 + 1] = "";
	for (size_t i = 0; i < 127; i++)
		strcat(all_single, "01 61 ");
	strcat(all_single, "00");
	assert_int_equal(dns_name_check(wire(all_single)), 255);
}

static void checks_every_prefix(void **state)
{
	(void)state;
	struct slice name = wire("'www.example.com'");
	for (size_t len = 0; len < name.len; len++)
		assert_int_equal(dns_name_check(wire_keep(slice_of(name.at, len))), 0);
}

#define HEADER "00*12 "

static void reads_compressed_names(void **state)
{
	(void)state;
	const struct {
		const char *message; /* the name is read at `at` */
		size_t at;
		const char *name; /* NULL: refused */
		size_t end;
	} rows[] = {
		{ HEADER "'www.example'", 12, "'www.example'", 25 },
		{ HEADER "'www.Example' c00c", 25, "'www.Example'", 27 },
		{ HEADER "'www.example' 01 61 c010", 25, "'a.example'", 29 },
		{ HEADER "00 c00c", 13, "'.'", 15 },
		{ HEADER "00 01 61 c00c", 13, "'a'", 17 },
		{ HEADER "'a' 01 62 c00c 01 63 c00f", 19, "'c.b.a'", 23 },
		{ HEADER "'a' c00c c00f", 17, "'a'", 19 }, /* a pointer to a pointer */
		{ HEADER LONGEST " c00c", 267, LONGEST, 269 },
		/* 256 bytes only when put together */
		{ HEADER LONGEST " 01 61 c00c", 267, NULL, 0 },
		{ HEADER "3f 61*63 3f 62*63 3f 63*63 00 3e 64*62 c00c", 205, NULL, 0 },
		{ HEADER "3f 61*63 3f 62*63 3f 63*63 00 3d 64*61 c00c", 205,
			"3d 64*61 3f 61*63 3f 62*63 3f 63*63 00", 269 },
		{ HEADER "c00c", 12, NULL, 0 },             /* to itself */
		{ HEADER "c00e c00c", 12, NULL, 0 },        /* to one another, forwards first */
		{ HEADER "c00e c00c", 14, NULL, 0 },        /* to one another, backwards first */
		{ HEADER "01 61 c00c", 12, NULL, 0 },       /* to its own beginning */
		{ HEADER "01 61 01 62 c00e", 12, NULL, 0 }, /* to its own middle */
		{ HEADER "c00e 00", 12, NULL, 0 },          /* forwards */
		{ HEADER "00 01 61 c00f", 13, NULL, 0 },    /* to itself, behind a label */
		{ HEADER "ffff", 12, NULL, 0 },
		{ HEADER "01 61 c00e 01 62 c00c", 16, NULL, 0 }, /* the second hop goes forwards */
		{ "00*12 c000", 12, NULL, 0 },                   /* into the header */
		{ "00*12 c00b", 12, NULL, 0 },
		{ "01 61 00*10 'b' c000", 15, NULL, 0 },
		{ HEADER "40 61*64 00", 12, NULL, 0 },
		{ HEADER "80 61*128 00", 12, NULL, 0 },
		{ HEADER "40 61*64 00 c00c", 78, NULL, 0 },
		{ HEADER "01 61", 12, NULL, 0 },
		{ HEADER "01 61 c0", 12, NULL, 0 },
		{ HEADER "3f 61", 12, NULL, 0 },
		{ HEADER, 12, NULL, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reader reader = reader_of(wire(rows[i].message));
		struct dns_name name;
		reader_seek(&reader, rows[i].at);
		dns_name_read(&reader, &name);
		assert_int_equal(reader.failed, rows[i].name == NULL);
		if (!rows[i].name) {
			assert_int_equal(name.len, 0);
			continue;
		}
		assert_true(slice_equals(dns_name_slice(&name), wire(rows[i].name)));
		assert_int_equal(reader_position(&reader), rows[i].end);
		struct reader skipped = reader_of(wire(rows[i].message));
		reader_seek(&skipped, rows[i].at);
		dns_name_skip(&skipped);
		assert_int_equal(reader_position(&skipped), rows[i].end);
	}
}

/* `count` pointers, each to the one before it, the first to the root. */
static bool chain_is_read(unsigned count)
{
	uint8_t message[2048] = { 0 };
	struct writer to = writer_of(message, sizeof message);
	struct dns_name name;
	writer_zeros(&to, 13);
	for (unsigned i = 0; i < count; i++)
		writer_u16(&to, (uint16_t)(0xc000 | (i ? to.len - 2 : 12)));
	struct reader reader = reader_of(writer_slice(&to));
	reader_seek(&reader, to.len - 2);
	dns_name_read(&reader, &name);
	return !reader.failed;
}

static void follows_few_pointers_without_labels(void **state)
{
	(void)state;
	assert_true(chain_is_read(1));
	assert_true(chain_is_read(16));
	assert_false(chain_is_read(17));
	assert_false(chain_is_read(1000));
}

/* As many labels as there can be, each with a pointer behind it: odd, but a name. */
static void follows_a_pointer_for_each_label(void **state)
{
	(void)state;
	uint8_t message[1024] = { 0 };
	struct writer to = writer_of(message, sizeof message);
	struct dns_name name;
	writer_zeros(&to, 13);
	for (size_t below = 12, i = 0; i < 127; i++) {
		size_t at = to.len;
		writer_u16(&to, 0x0161);
		writer_u16(&to, (uint16_t)(0xc000 | below));
		below = at;
	}
	struct reader reader = reader_of(writer_slice(&to));
	reader_seek(&reader, to.len - 4);
	dns_name_read(&reader, &name);
	assert_false(reader.failed);
	assert_int_equal(name.len, 255);
	assert_int_equal(reader_left(&reader), 0);
}

static void skips_without_following(void **state)
{
	(void)state;
	const struct {
		const char *wire;
		size_t end; /* 0: refused */
	} rows[] = {
		{ "'a.b' ff", 5 },
		{ "01 61 c0ff ff", 4 },
		{ "c000", 2 },
		{ "c0", 0 },
		{ "01 61", 0 },
		{ "", 0 },
		{ "40 61*64 00", 0 },
		{ "80 61*128 00", 0 },
		{ LONGEST, 255 },
		{ "3f 61*63 3f 62*63 3f 63*63 3e 64*62 00", 0 }, /* 256 */
		{ "3f 61*63 3f 62*63 3f 63*63 3f 64*63 c00c", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reader reader = reader_of(wire(rows[i].wire));
		dns_name_skip(&reader);
		assert_int_equal(reader.failed, rows[i].end == 0);
		if (rows[i].end)
			assert_int_equal(reader_position(&reader), rows[i].end);
	}
}

/* A reader that failed before stays failed, and gives no name. */
static void reads_nothing_from_a_failed_reader(void **state)
{
	(void)state;
	struct reader reader = reader_of(wire(HEADER "'a'"));
	struct dns_name name;
	reader_seek(&reader, 1000);
	dns_name_read(&reader, &name);
	assert_int_equal(name.len, 0);
	dns_name_skip(&reader);
	assert_true(reader.failed);
}

static void compares_without_ascii_case_only(void **state)
{
	(void)state;
	const struct {
		const char *a;
		const char *b;
		bool same;
	} rows[] = {
		{ "'WWW.example.COM'", "'www.EXAMPLE.com'", true },
		{ "'.'", "'.'", true },
		{ "'a'", "'b'", false },
		{ "'a.b'", "'a\\.b'", false }, /* a dot in a label is not a dot between */
		{ "'ab'", "'a.b'", false },
		{ "'a'", "'a.a'", false },
		{ "'\\000a'", "'\\000A'", true },
		{ "'\\000a'", "'\\000b'", false },
		{ "'\\196\\133'", "'\\228\\165'", false }, /* not ASCII: no case */
		{ "'@'", "'\\096'", false },               /* the neighbours of A..Z */
		{ "'['", "'{'", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(dns_name_equals(wire(rows[i].a), wire(rows[i].b)), rows[i].same);
		assert_int_equal(dns_name_equals(wire(rows[i].b), wire(rows[i].a)), rows[i].same);
	}
	uint8_t lowered[17];
	struct slice mixed = wire("'WWW.ExAmple.COM'");
	dns_name_lower(lowered, mixed.at, mixed.len);
	assert_true(slice_equals(slice_of(lowered, mixed.len), wire("'www.example.com'")));
}

static void knows_what_is_under_what(void **state)
{
	(void)state;
	const struct {
		const char *name;
		const char *parent;
		bool under;
	} rows[] = {
		{ "'www.example.com'", "'Example.com'", true },
		{ "'example.com'", "'example.com'", true },
		{ "'example.com'", "'.'", true },
		{ "'.'", "'.'", true },
		{ "'.'", "'com'", false },
		{ "'badexample.com'", "'example.com'", false },
		{ "'com'", "'example.com'", false },
		{ "'example.com.evil'", "'example.com'", false },
		{ "'a\\007example\\003com'", "'example.com'", false }, /* lengths inside a label */
		{ "'x.www\\.example.com'", "'example.com'", false },
		{ "'a'", "", false },
		{ "", "'a'", false },
		{ "", "", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(
			dns_name_is_under(wire(rows[i].name), wire(rows[i].parent)), rows[i].under);
}

static void finds_the_labels(void **state)
{
	(void)state;
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	assert_int_equal(dns_name_labels(wire("'www.example.com'"), offsets), 3);
	assert_memory_equal(offsets, ((uint8_t[]){ 0, 4, 12 }), 3);
	assert_int_equal(dns_name_labels(wire("'.'"), offsets), 0);
	assert_int_equal(dns_name_labels(wire(""), offsets), 0);
	uint8_t longest[255];
	for (size_t i = 0; i < 255; i++)
		longest[i] = (i + 1) % 2;
	longest[254] = 0;
	assert_int_equal(dns_name_labels(slice_of(longest, 255), offsets), 127);
	assert_int_equal(offsets[126], 252);
}

static void reads_text(void **state)
{
	(void)state;
	const struct {
		const char *text;
		const char *wire; /* NULL: refused */
	} rows[] = {
		{ "www.example.com", "03 \"www\" 07 \"example\" 03 \"com\" 00" },
		{ "www.example.com.", "03 \"www\" 07 \"example\" 03 \"com\" 00" },
		{ "A.b", "01 41 01 62 00" },
		{ ".", "00" },
		{ "*.a", "01 2a 01 61 00" },
		{ "a\\.b.c", "03 \"a.b\" 01 63 00" },
		{ "\\000\\255\\032", "03 00ff20 00" },
		{ "\\\\", "01 5c 00" },
		{ "\\a\\b", "02 6162 00" },
		{ "a\\..", "02 612e 00" },
		{ "\\046", "01 2e 00" },
		{ "\\0461", "02 2e31 00" },
		{ "", NULL },
		{ "..", NULL },
		{ ".a", NULL },
		{ "a..b", NULL },
		{ "a..", NULL },
		{ "\\", NULL },
		{ "a\\", NULL },
		{ "\\1", NULL },
		{ "\\12", NULL },
		{ "\\12x", NULL },
		{ "\\1x2", NULL },
		{ "\\256", NULL },
		{ "\\999", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_name name;
		struct slice text = wire_keep(slice_of_text(rows[i].text));
		assert_int_equal(dns_name_from_text(&name, text), rows[i].wire != NULL);
		if (rows[i].wire)
			assert_true(slice_equals(dns_name_slice(&name), wire(rows[i].wire)));
	}
}

/* `count` labels of `len` bytes with dots between, then one of `last` bytes, then `end`. */
static bool text_is_read(size_t count, size_t len, size_t last, const char *end)
{
	char text[1024] = "";
	struct dns_name name;
	for (size_t i = 0; i < count; i++) {
		memset(text + strlen(text), 'x', len);
		strcat(text, ".");
	}
	memset(text + strlen(text), 'y', last);
	strcat(text, end);
	if (!dns_name_from_text(&name, wire_keep(slice_of_text(text))))
		return false;
	assert_int_equal(dns_name_check(dns_name_slice(&name)), name.len);
	return true;
}

static void text_has_limits(void **state)
{
	(void)state;
	assert_true(text_is_read(0, 0, 63, ""));
	assert_true(text_is_read(0, 0, 63, "."));
	assert_false(text_is_read(0, 0, 64, ""));
	assert_false(text_is_read(0, 0, 64, "."));
	assert_false(text_is_read(1, 64, 1, ""));
	assert_false(text_is_read(0, 0, 250, ""));
	assert_false(text_is_read(0, 0, 1000, ""));
	for (size_t i = 0; i < 2; i++) {
		const char *end = i ? "." : "";
		assert_true(text_is_read(3, 63, 61, end));  /* 255 bytes of wire */
		assert_false(text_is_read(3, 63, 62, end)); /* 256 */
		assert_false(text_is_read(3, 63, 63, end));
		assert_true(text_is_read(126, 1, 1, end));
		assert_false(text_is_read(127, 1, 1, end));
		assert_false(text_is_read(126, 1, 2, end));
	}
}

static void writes_text_that_can_mean_one_thing_only(void **state)
{
	(void)state;
	const struct {
		const char *wire;
		const char *text;
	} rows[] = {
		{ "'www.Example.com'", "www.Example.com." },
		{ "'.'", "." },
		{ "", "." },
		{ "'*._tcp.a-b'", "*._tcp.a-b." },
		{ "03 \"a.b\" 01 63 00", "a\\046b.c." },
		{ "02 \"\\@\" 00", "\\092\\064." },
		{ "03 00ff7f 00", "\\000\\255\\127." },
		{ "05 0d0a1b5b6d 00", "\\013\\010\\027\\091m." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DNS_NAME_TEXT_MAX];
		assert_string_equal(dns_name_text(wire(rows[i].wire), text), rows[i].text);
	}
}

static void longest_text_fits(void **state)
{
	(void)state;
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name back;
	struct slice name = wire("3f ff*63 3f 00*63 3f 2e*63 3d 20*61 00");
	dns_name_text(name, text);
	assert_int_equal(strlen(text), 250 * 4 + 4);
	assert_true(dns_name_from_text(&back, slice_of_text(text)));
	assert_true(slice_equals(dns_name_slice(&back), name));
}

static struct dns_name random_name(struct random_pool *pool)
{
	struct dns_name name = { 0 };
	size_t most = random_below(pool, DNS_NAME_MAX) + 1;
	for (;;) {
		size_t label = random_below(pool, DNS_LABEL_MAX) + 1;
		if (random_below(pool, 2))
			label = label % 4 + 1;
		if (name.len + label + 2 > most)
			break;
		name.wire[name.len++] = (uint8_t)label;
		while (label-- > 0)
			name.wire[name.len++] = (uint8_t)random_u16(pool);
	}
	name.wire[name.len++] = 0;
	return name;
}

/* Any name survives the way through text; glibc's reading of our text is the same name. */
static void random_names_survive_text(void **state)
{
	(void)state;
	struct random_pool pool = { 0 };
	for (unsigned i = 0; i < 5000; i++) {
		struct dns_name name = random_name(&pool), back;
		char text[DNS_NAME_TEXT_MAX];
		uint8_t theirs[NS_MAXCDNAME];
		assert_int_equal(dns_name_check(dns_name_slice(&name)), name.len);
		dns_name_text(dns_name_slice(&name), text);
		assert_true(dns_name_from_text(&back, slice_of_text(text)));
		assert_true(slice_equals(dns_name_slice(&back), dns_name_slice(&name)));
		assert_true(ns_name_pton(text, theirs, sizeof theirs) >= 0);
		assert_memory_equal(theirs, name.wire, name.len);
	}
}

/* All of the text where nothing is escaped, and not a byte otherwise. */
static void writes_plain_names_whole_or_not_at_all(void **state)
{
	(void)state;
	static const char *const names[] = { ".", "a.", "a.b-c.D_e.*.", "a\\046b.", "x.\\034.",
		"\\000.", "xn--bcher-kva.example." };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct dns_name name;
		uint8_t text[DNS_NAME_TEXT_MAX] = "";
		assert_true(dns_name_from_text(&name, slice_of_text(names[i])));
		bool is_plain = strcmp(names[i], ".") != 0 && !strchr(names[i], '\\');
		struct writer to = writer_of(text, sizeof text);
		assert_int_equal(dns_name_write_plain(&to, dns_name_slice(&name)), is_plain);
		assert_int_equal(to.len, is_plain ? strlen(names[i]) : 0);
		assert_memory_equal(text, names[i], to.len);
		struct writer narrow = writer_of(text, strlen(names[i]) - 1);
		assert_false(dns_name_write_plain(&narrow, dns_name_slice(&name)));
		assert_true(narrow.len == 0 && !narrow.failed);
	}
}

/* Whatever we accept of random bytes, glibc reads as the same name. It knows no rule that pointers
 * go backwards, so it accepts more. */
static void agrees_with_glibc(void **state)
{
	(void)state;
	struct random_pool pool = { 0 };
	unsigned accepted = 0;
	for (unsigned i = 0; i < 20000; i++) {
		static const uint8_t likely[] = { 0, 1, 1, 2, 3, 0xc0, 0xc0, 0xc0, 0x3f, 0x40,
			0x80 };
		uint8_t bytes[40] = { 0 };
		for (size_t at = 12; at < sizeof bytes; at++)
			bytes[at] = random_below(&pool, 3)
				? likely[random_below(&pool, sizeof likely)]
				: (uint8_t)(12 + random_below(&pool, 28));
		struct slice message = wire_keep(slice_of(bytes, sizeof bytes));
		struct reader reader = reader_of(message);
		struct dns_name name;
		uint8_t theirs[NS_MAXCDNAME];
		size_t start = 12 + random_below(&pool, 28);
		reader_seek(&reader, start);
		dns_name_read(&reader, &name);
		int len = ns_name_unpack(message.at, message.at + message.len, message.at + start,
			theirs, sizeof theirs);
		if (reader.failed)
			continue;
		accepted++;
		assert_int_equal(len, reader_position(&reader) - start);
		assert_memory_equal(theirs, name.wire, name.len);
	}
	assert_in_range(accepted, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_uncompressed_names),
		cmocka_unit_test(checks_every_prefix),
		cmocka_unit_test(reads_compressed_names),
		cmocka_unit_test(follows_few_pointers_without_labels),
		cmocka_unit_test(follows_a_pointer_for_each_label),
		cmocka_unit_test(skips_without_following),
		cmocka_unit_test(reads_nothing_from_a_failed_reader),
		cmocka_unit_test(compares_without_ascii_case_only),
		cmocka_unit_test(knows_what_is_under_what),
		cmocka_unit_test(finds_the_labels),
		cmocka_unit_test(reads_text),
		cmocka_unit_test(text_has_limits),
		cmocka_unit_test(writes_text_that_can_mean_one_thing_only),
		cmocka_unit_test(longest_text_fits),
		cmocka_unit_test(random_names_survive_text),
		cmocka_unit_test(writes_plain_names_whole_or_not_at_all),
		cmocka_unit_test(agrees_with_glibc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
