/* Which editions of a list are taken, and what is said of the others: every fault with its
 * sentence, every bound exactly met and missed by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/lists/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "dns/types.h"
#include "rules/image_build.h"

/* --- sniffing --- */

static struct slice text_slice(const char *text)
{
	return slice_of_text(text);
}

static void test_content_types(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		bool is_list;
	} cases[] = {
		{ "", true },
		{ "text/plain", true },
		{ "text/plain; charset=utf-8", true },
		{ "application/octet-stream", true },
		{ "binary/octet-stream", true },
		{ "application/gzip", true },
		{ "application/x-gzip", true },
		{ "application/zstd", true },
		{ "text/dns", true },
		{ "text/csv", true },
		{ "text/markdown", true },
		{ "application/x-wais-source", true },
		{ "text", true },
		{ "text/htmlx", true },
		{ "x-text/html", true },
		{ ";text/html", true },
		{ "+jso", true },
		{ "text/html", false },
		{ "TEXT/HTML;charset=UTF-8", false },
		{ " text/html ; charset=utf-8", false },
		{ "text/html\t", false },
		{ "application/xhtml+xml", false },
		{ "application/rss+xml; charset=utf-8", false },
		{ "application/problem+json", false },
		{ "application/json", false },
		{ "text/xml", false },
		{ "application/pdf", false },
		{ "application/zip", false },
		{ "image/png", false },
		{ "image/", false },
		{ "Video/mp4", false },
		{ "multipart/mixed; boundary=x", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum list_fault fault =
			guard_sniff(text_slice("a.example\n"), text_slice(cases[i].type));
		if ((fault == LIST_FAULT_NONE) != cases[i].is_list)
			fail_msg("%s: %s", cases[i].type, list_fault_name(fault));
	}
}

/* Every text once more in memory that ends with it, so that a look behind it is seen. */
static enum list_fault sniff(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	assert_non_null(copy);
	uint8_t *exact = realloc(copy, len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, bytes, len);
	enum list_fault fault = guard_sniff(slice_of(exact, len), slice_of(NULL, 0));
	free(exact);
	return fault;
}

#define BYTES(text) (text), sizeof(text) - 1

static void test_first_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		bool is_list;
	} cases[] = {
		{ BYTES(""), true },
		{ BYTES("\n"), true },
		{ BYTES(" \t\r\n\f\v"), true },
		{ BYTES("\xef\xbb\xbf"), true },
		{ BYTES("a.example"), true },
		{ BYTES("# <html>\na.example"), true },
		{ BYTES("! <html>\n||a.example^"), true },
		{ BYTES("[Adblock Plus 2.0]\n||a.example^"), true },
		{ BYTES("[uBlock Origin]\n"), true },
		{ BYTES("\xef\xbb\xbf[Adblock]"), true },
		{ BYTES("["), true },
		{ BYTES("zone \"a.example\" { type primary; };"), true },
		{ BYTES("server:\nlocal-zone: \"a.example\" always_nxdomain"), true },
		{ BYTES("$TTL 300\n@ SOA a. b. 1 2 3 4 5"), true },
		{ BYTES("||a.example^"), true },
		{ BYTES("0.0.0.0 a.example"), true },
		{ BYTES("127.0.0.1 a.example"), true },
		{ BYTES("::1 a.example"), true },
		{ BYTES("*.a.example"), true },
		{ BYTES("address=/a.example/"), true },
		/* Names with the letters of other formats. */
		{ BYTES("MZ.example\n"), true },
		{ BYTES("BM.example\n"), true },
		{ BYTES("GIF89a.example\n"), true },
		{ BYTES("RIFFs.example\n"), true },
		{ BYTES("PK.example\n"), true },
		{ BYTES("b\xc3\xbc"
			"cher.example\n"),
			true },
		/* A NUL is no more than a wrong line. */
		{ BYTES("a.example\0\nb.example"), true },
		{ BYTES("<!DOCTYPE html>"), false },
		{ BYTES("\r\n\r\n  <html>"), false },
		{ BYTES("\xef\xbb\xbf <?xml version=\"1.0\"?>"), false },
		{ BYTES("<"), false },
		{ BYTES("<Error><Code>AccessDenied</Code></Error>"), false },
		{ BYTES("{\"message\": \"Not Found\"}"), false },
		{ BYTES("{"), false },
		{ BYTES("[]"), false },
		{ BYTES("[\n  \"a.example\"\n]"), false },
		{ BYTES("[{\"a\": 1}]"), false },
		{ BYTES("[1]"), false },
		{ BYTES("%PDF-1.7\n"), false },
		{ BYTES("\x7f"
			"ELF\2\1\1"),
			false },
		{ BYTES("MZ\x90\0\3\0"), false },
		{ BYTES("\x89PNG\r\n\x1a\n"), false },
		{ BYTES("GIF89a\1\0\1\0\x80\0\0"), false },
		{ BYTES("\xff\xd8\xff\xe0"), false },
		{ BYTES("RIFF\x24\0\0\0WEBP"), false },
		{ BYTES("\0\0\1\0\1\0"), false },
		{ BYTES("PK\3\4\x14\0"), false },
		{ BYTES("\xfd"
			"7zXZ\0"),
			false },
		{ BYTES("BZh91AY&SY"), false },
		{ BYTES("\x1f\x8b\x08"), false },
		{ BYTES("\x28\xb5\x2f\xfd"), false },
		{ BYTES("SQLite format 3\0"), false },
		{ BYTES("\xff\xfe"
			"a\0.\0"),
			false },
		{ BYTES("\xfe\xff\0a\0."), false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum list_fault fault = sniff(cases[i].bytes, cases[i].len);
		if ((fault == LIST_FAULT_NONE) != cases[i].is_list)
			fail_msg("%zu: %.*s: %s", i, (int)cases[i].len, cases[i].bytes,
				list_fault_name(fault));
	}
}

static void test_a_tar_of_lists(void **state)
{
	(void)state;
	char archive[512] = "hosts.txt";
	memcpy(archive + 257, "ustar", 5);
	assert_int_equal(sniff(archive, sizeof archive), LIST_FAULT_NOT_A_LIST);
	assert_int_equal(sniff(archive, 262), LIST_FAULT_NOT_A_LIST);
	assert_int_equal(sniff(archive, 261), LIST_FAULT_NONE);
}

/* --- editions --- */

struct edition {
	struct slice bytes;
	struct image *image;
};

static struct edition build(struct image_builder *builder)
{
	struct edition edition = { 0 };
	const char *why = "";
	assert_int_equal(image_build(builder, &edition.bytes, NULL, NULL), 0);
	image_builder_free(builder);
	edition.image = image_open(edition.bytes, &why);
	assert_string_equal(why ? why : "", "");
	assert_non_null(edition.image);
	return edition;
}

static void edition_free(struct edition *edition)
{
	image_close(edition->image);
	free((void *)(uintptr_t)edition->bytes.at);
}

/* As many entries, and as many lines that are wrong, in a list behind another one. */
static struct edition edition_of(unsigned entries, enum list_reject reject, unsigned rejects)
{
	struct image_builder *builder = image_builder_new(7);
	assert_non_null(builder);
	assert_int_equal(image_add_list(builder, "another", LIST_DOMAINS), 0);
	assert_int_equal(image_add_text(builder, text_slice("other.example\n*\n"), NULL, NULL), 0);
	assert_int_equal(image_add_list(builder, "judged", LIST_DOMAINS), 0);
	for (unsigned i = 0; i < entries; i++) {
		char line[32];
		snprintf(line, sizeof line, "n%u.example\n", i);
		assert_int_equal(image_add_text(builder, text_slice(line), NULL, NULL), 0);
	}
	for (unsigned i = 0; i < rejects; i++)
		image_count_reject(builder, reject);
	return build(builder);
}

enum { JUDGED = 1 };

static void assert_judged(const struct list_guards *guards, const struct edition *edition,
	const struct image_list *before, enum list_fault expected, const char *sentence)
{
	char text[256];
	struct writer why = writer_of(text, sizeof text - 1);
	enum list_fault fault = guard_judge(guards, edition->image, JUDGED, before, &why);
	text[why.len] = '\0';
	if (fault != expected || strcmp(text, sentence) != 0)
		fail_msg("%s: \"%s\", not %s: \"%s\"", list_fault_name(fault), text,
			list_fault_name(expected), sentence);
}

/* A row of numbers: what there is, what was there before (-1: no list), what is asked for. */
struct row {
	unsigned entries;
	enum list_reject reject;
	unsigned rejects;
	int64_t before;
	struct list_guards guards;
	enum list_fault fault;
	const char *sentence;
};

static void check_row(const struct row *row)
{
	struct edition edition = edition_of(row->entries, row->reject, row->rejects);
	const struct image_list before = { .entry_count = (uint64_t)row->before };
	assert_judged(&row->guards, &edition, row->before < 0 ? NULL : &before, row->fault,
		row->sentence);
	edition_free(&edition);
}

#define CHECK_ROWS(rows)                                                                           \
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows)[0]; i++)                                \
	check_row(&(rows)[i])

static void test_empty_editions(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* A file with a comment and nothing else; but not where shrinking is watched. */
		{ 0, 0, 0, -1, { 0 }, LIST_FAULT_NONE, "" },
		{ 0, 0, 0, 1000, { 0 }, LIST_FAULT_NONE, "" },
		{ 0, 0, 0, 0, { .max_growth_percent = 1 }, LIST_FAULT_NONE, "" },
		{ 0, 0, 0, -1, { .max_shrink_percent = 50 }, LIST_FAULT_EMPTY,
			"not one entry; 0 lines were left out" },
		{ 0, 0, 0, 0, { .max_shrink_percent = 100 }, LIST_FAULT_EMPTY,
			"not one entry; 0 lines were left out" },
		{ 0, LIST_REJECT_NOT_A_NAME, 3, -1, { 0 }, LIST_FAULT_EMPTY,
			"not one entry; 3 lines were left out" },
		{ 0, LIST_REJECT_NOT_DNS, 1, -1, { .max_rejected_percent = 50 }, LIST_FAULT_EMPTY,
			"not one entry; 1 lines were left out" },
	};
	CHECK_ROWS(rows);
}

static void test_too_few(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ 5, 0, 0, -1, { .min_entries = 5 }, LIST_FAULT_NONE, "" },
		{ 4, 0, 0, -1, { .min_entries = 5 }, LIST_FAULT_TOO_FEW,
			"4 entries, at least 5 are asked for" },
		{ 0, 0, 0, -1, { .min_entries = 1 }, LIST_FAULT_TOO_FEW,
			"0 entries, at least 1 are asked for" },
		{ 4, 0, 0, -1, { .min_entries = UINT64_MAX }, LIST_FAULT_TOO_FEW,
			"4 entries, at least 18446744073709551615 are asked for" },
	};
	CHECK_ROWS(rows);
}

static void test_shrinking(void **state)
{
	(void)state;
#define SHRINK(percent)                                                                            \
	{                                                                                          \
		.max_shrink_percent = (percent)                                                    \
	}
	static const struct row rows[] = {
		{ 50, 0, 0, 100, SHRINK(50), LIST_FAULT_NONE, "" },
		{ 49, 0, 0, 100, SHRINK(50), LIST_FAULT_SHRUNK,
			"49 entries after 100, it may lose at most 50%" },
		{ 1, 0, 0, 3, SHRINK(66), LIST_FAULT_SHRUNK,
			"1 entries after 3, it may lose at most 66%" },
		{ 1, 0, 0, 3, SHRINK(67), LIST_FAULT_NONE, "" },
		{ 99, 0, 0, 100, SHRINK(1), LIST_FAULT_NONE, "" },
		{ 98, 0, 0, 100, SHRINK(1), LIST_FAULT_SHRUNK,
			"98 entries after 100, it may lose at most 1%" },
		{ 1, 0, 0, INT64_MAX, SHRINK(100), LIST_FAULT_NONE, "" },
		{ 1, 0, 0, INT64_MAX, SHRINK(99), LIST_FAULT_SHRUNK,
			"1 entries after 9223372036854775807, it may lose at most 99%" },
		{ 1, 0, 0, 100, SHRINK(0), LIST_FAULT_NONE, "" },
		{ 1, 0, 0, -1, SHRINK(1), LIST_FAULT_NONE, "" },
		{ 1, 0, 0, 0, SHRINK(1), LIST_FAULT_NONE, "" },
		{ 9, 0, 0, 1, SHRINK(1), LIST_FAULT_NONE, "" },
	};
	CHECK_ROWS(rows);
}

static void test_growth(void **state)
{
	(void)state;
#define GROW(percent)                                                                              \
	{                                                                                          \
		.max_growth_percent = (percent)                                                    \
	}
	static const struct row rows[] = {
		{ 20, 0, 0, 10, GROW(100), LIST_FAULT_NONE, "" },
		{ 21, 0, 0, 10, GROW(100), LIST_FAULT_GROWN,
			"21 entries after 10, it may gain at most 100%" },
		{ 22, 0, 0, 2, GROW(1000), LIST_FAULT_NONE, "" },
		{ 23, 0, 0, 2, GROW(1000), LIST_FAULT_GROWN,
			"23 entries after 2, it may gain at most 1000%" },
		{ 100, 0, 0, 99, GROW(1), LIST_FAULT_GROWN,
			"100 entries after 99, it may gain at most 1%" },
		{ 101, 0, 0, 100, GROW(1), LIST_FAULT_NONE, "" },
		{ 100, 0, 0, 1, GROW(1000000), LIST_FAULT_NONE, "" },
		{ 100, 0, 0, 1, GROW(0), LIST_FAULT_NONE, "" },
		{ 100, 0, 0, -1, GROW(1), LIST_FAULT_NONE, "" },
		{ 100, 0, 0, 0, GROW(1), LIST_FAULT_NONE, "" },
		{ 1, 0, 0, 100, GROW(1), LIST_FAULT_NONE, "" },
	};
	CHECK_ROWS(rows);
}

static void test_rejects(void **state)
{
	(void)state;
#define REJECTS(percent)                                                                           \
	{                                                                                          \
		.max_rejected_percent = (percent)                                                  \
	}
	static const struct row rows[] = {
		{ 10, LIST_REJECT_SYNTAX, 10, -1, REJECTS(50), LIST_FAULT_NONE, "" },
		{ 10, LIST_REJECT_SYNTAX, 11, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"11 of 21 lines are wrong, at most 50% may be" },
		{ 99, LIST_REJECT_NOT_A_NAME, 1, -1, REJECTS(1), LIST_FAULT_NONE, "" },
		{ 98, LIST_REJECT_NOT_A_NAME, 1, -1, REJECTS(1), LIST_FAULT_REJECTS,
			"1 of 99 lines are wrong, at most 1% may be" },
		{ 1, LIST_REJECT_TOO_LONG, 1000, -1, REJECTS(100), LIST_FAULT_NONE, "" },
		{ 1, LIST_REJECT_TOO_LONG, 1000, -1, REJECTS(0), LIST_FAULT_NONE, "" },
		{ 1, LIST_REJECT_ASTERISK, 9, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"9 of 10 lines are wrong, at most 50% may be" },
		{ 1, LIST_REJECT_NO_NAME, 9, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"9 of 10 lines are wrong, at most 50% may be" },
		{ 1, LIST_REJECT_NOT_ASCII, 9, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"9 of 10 lines are wrong, at most 50% may be" },
		{ 1, LIST_REJECT_ANSWER, 9, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"9 of 10 lines are wrong, at most 50% may be" },
		{ 1, LIST_REJECT_TOO_MANY, 9, -1, REJECTS(50), LIST_FAULT_REJECTS,
			"9 of 10 lines are wrong, at most 50% may be" },
		/* Not for us, which is no error. */
		{ 1, LIST_REJECT_ADDRESS, 99, -1, REJECTS(1), LIST_FAULT_NONE, "" },
		{ 1, LIST_REJECT_DUPLICATE, 99, -1, REJECTS(1), LIST_FAULT_NONE, "" },
		{ 1, LIST_REJECT_NOT_DNS, 99, -1, REJECTS(1), LIST_FAULT_NONE, "" },
		{ 1, LIST_REJECT_TRIGGER, 99, -1, REJECTS(1), LIST_FAULT_NONE, "" },
	};
	CHECK_ROWS(rows);
}

/* What is covered and what is a duplicate are good lines. */
static void test_good_lines_are_counted_in(void **state)
{
	(void)state;
	static const struct list_guards guards = { .max_rejected_percent = 25 };
	struct image_builder *builder = image_builder_new(7);
	assert_int_equal(image_add_list(builder, "another", LIST_DOMAINS), 0);
	assert_int_equal(image_add_list(builder, "judged", LIST_WILDCARD), 0);
	assert_int_equal(
		image_add_text(builder, text_slice("a.example\nb.a.example\na.example\n!bad!\n"),
			NULL, NULL),
		0);
	struct edition edition = build(builder);
	assert_int_equal(image_list(edition.image, JUDGED)->entry_count, 1);
	assert_int_equal(image_list(edition.image, JUDGED)->covered_count, 1);
	assert_judged(&guards, &edition, NULL, LIST_FAULT_NONE, "");
	assert_judged(&(struct list_guards){ .max_rejected_percent = 24 }, &edition, NULL,
		LIST_FAULT_REJECTS, "1 of 4 lines are wrong, at most 24% may be");
	edition_free(&edition);
}

/* --- canaries --- */

static struct dns_name name_of(const char *text)
{
	struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	return name;
}

static void check_canary(const struct edition *edition, const char *text, bool is_wanted,
	enum list_fault fault, const char *sentence)
{
	const struct dns_name name = name_of(text);
	const struct list_guards guards = {
		.must_contain = &name,
		.must_contain_count = is_wanted,
		.must_not_contain = &name,
		.must_not_contain_count = !is_wanted,
	};
	assert_judged(&guards, edition, NULL, fault, sentence);
}

static void test_canaries(void **state)
{
	(void)state;
	struct image_builder *builder = image_builder_new(7);
	assert_int_equal(image_add_list(builder, "another", LIST_DOMAINS), 0);
	assert_int_equal(image_add_text(builder, text_slice("*\n"), NULL, NULL), 0);
	assert_int_equal(image_add_list(builder, "judged", LIST_DOMAINS), 0);
	assert_int_equal(
		image_add_text(builder, text_slice("bad.example\n*.below.example\n"), NULL, NULL),
		0);
	struct edition edition = build(builder);
	static const struct {
		const char *name, *missing, *hit;
	} cases[] = {
		{ "bad.example", "", "it matches bad.example., by its entry bad.example." },
		{ "a.b.below.example", "",
			"it matches a.b.below.example., by its entry *.below.example." },
		{ "below.example", "it does not match below.example.", "" },
		{ "www.bad.example", "it does not match www.bad.example.", "" },
		/* In the other list. */
		{ "com", "it does not match com.", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_canary(&edition, cases[i].name, true,
			*cases[i].missing ? LIST_FAULT_CANARY_MISSING : LIST_FAULT_NONE,
			cases[i].missing);
		check_canary(&edition, cases[i].name, false,
			*cases[i].hit ? LIST_FAULT_CANARY_HIT : LIST_FAULT_NONE, cases[i].hit);
	}
	edition_free(&edition);
}

/* The list that somebody has put "*" into. */
static void test_an_edition_of_everything(void **state)
{
	(void)state;
	struct image_builder *builder = image_builder_new(7);
	assert_int_equal(image_add_list(builder, "another", LIST_DOMAINS), 0);
	assert_int_equal(image_add_list(builder, "judged", LIST_DOMAINS), 0);
	assert_int_equal(image_add_text(builder, text_slice("a.example\n*\n"), NULL, NULL), 0);
	struct edition edition = build(builder);
	check_canary(&edition, "www.corp.example", false, LIST_FAULT_CANARY_HIT,
		"it matches www.corp.example., by its entry *.");
	edition_free(&edition);
}

static void add(struct image_builder *builder, const char *name, const struct facet *facet)
{
	const struct dns_name wire = name_of(name);
	const struct list_pattern pattern = {
		.name = &wire, .kind = PATTERN_BOTH, .facet = facet, .line = 1
	};
	assert_int_equal(image_add_pattern(builder, &pattern), 0);
}

/* Exceptions are no matches; an entry for one query type alone is one. */
static void test_canaries_and_facets(void **state)
{
	(void)state;
	static const struct facet plain = { .rank = 1 };
	static const struct facet except = { .rank = 2, .effect = FACET_EXCEPT };
	static const struct facet pass = { .rank = 1, .effect = FACET_PASS };
	static const struct facet https_only = {
		.rank = 1, .type_count = 1, .types = { DNS_TYPE_HTTPS }
	};
	static const struct facet not_a = {
		.rank = 1, .except_types = true, .type_count = 1, .types = { DNS_TYPE_A }
	};
	struct image_builder *builder = image_builder_new(7);
	assert_int_equal(image_add_list(builder, "another", LIST_DOMAINS), 0);
	assert_int_equal(image_add_list(builder, "judged", LIST_DOMAINS), 0);
	add(builder, "example", &plain);
	add(builder, "good.example", &except);
	add(builder, "pass.example", &pass);
	add(builder, "https.test", &https_only);
	add(builder, "not-a.test", &not_a);
	struct edition edition = build(builder);
	check_canary(&edition, "bad.example", true, LIST_FAULT_NONE, "");
	check_canary(&edition, "www.good.example", false, LIST_FAULT_NONE, "");
	check_canary(&edition, "www.good.example", true, LIST_FAULT_CANARY_MISSING,
		"it does not match www.good.example.");
	check_canary(&edition, "pass.example", false, LIST_FAULT_NONE, "");
	check_canary(&edition, "pass.example", true, LIST_FAULT_CANARY_MISSING,
		"it does not match pass.example.");
	check_canary(&edition, "https.test", true, LIST_FAULT_CANARY_MISSING,
		"it does not match https.test.");
	check_canary(&edition, "https.test", false, LIST_FAULT_CANARY_HIT,
		"it matches https.test., by its entry https.test.");
	check_canary(&edition, "a.not-a.test", false, LIST_FAULT_CANARY_HIT,
		"it matches a.not-a.test., by its entry not-a.test.");
	edition_free(&edition);
}

/* Every canary counts, not the first alone. */
static void test_many_canaries(void **state)
{
	(void)state;
	struct edition edition = edition_of(10, 0, 0);
	const struct dns_name in[] = { name_of("n1.example"), name_of("n2.example"),
		name_of("n10.example") };
	const struct dns_name out[] = { name_of("m.example"), name_of("n3.example") };
	struct list_guards guards = { .must_contain = in, .must_contain_count = 2 };
	guards.must_not_contain = out;
	guards.must_not_contain_count = 1;
	assert_judged(&guards, &edition, NULL, LIST_FAULT_NONE, "");
	guards.must_contain_count = 3;
	assert_judged(&guards, &edition, NULL, LIST_FAULT_CANARY_MISSING,
		"it does not match n10.example.");
	guards.must_contain_count = 2;
	guards.must_not_contain_count = 2;
	assert_judged(&guards, &edition, NULL, LIST_FAULT_CANARY_HIT,
		"it matches n3.example., by its entry n3.example.");
	edition_free(&edition);
}

/* The sentence is cut where there is no room, and the judgement stays. */
static void test_a_sentence_without_room(void **state)
{
	(void)state;
	static const struct list_guards guards = { .min_entries = 5 };
	struct edition edition = edition_of(4, 0, 0);
	for (size_t room = 0; room < 40; room++) {
		char text[40];
		struct writer why = writer_of(text, room);
		assert_int_equal(guard_judge(&guards, edition.image, JUDGED, NULL, &why),
			LIST_FAULT_TOO_FEW);
		assert_true(why.len <= room);
	}
	edition_free(&edition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_types),
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_a_tar_of_lists),
		cmocka_unit_test(test_empty_editions),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_shrinking),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_good_lines_are_counted_in),
		cmocka_unit_test(test_canaries),
		cmocka_unit_test(test_an_edition_of_everything),
		cmocka_unit_test(test_canaries_and_facets),
		cmocka_unit_test(test_many_canaries),
		cmocka_unit_test(test_a_sentence_without_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
