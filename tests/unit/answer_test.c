#include "dns/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/nameser.h>
#include <resolv.h>

#include "base/random.h"
#include "tests/unit/rebuild.h"
#include "tests/unit/wire.h"

/* An answer that was opened must be walked to its end, and each target be read or refused. */
static unsigned walk_all(const struct dns_answer *answer)
{
	struct dns_record_walk walk;
	struct dns_record record;
	struct dns_name target;
	unsigned count = 0;
	dns_record_walk_begin(&walk, answer);
	for (; dns_record_next(&walk, &record); count++) {
		assert_int_equal(dns_name_check(dns_name_slice(&record.owner)), record.owner.len);
		assert_true(record.ttl_s <= INT32_MAX);
		if (dns_record_target(answer, &record, &target))
			assert_int_equal(dns_name_check(dns_name_slice(&target)), target.len);
	}
	assert_int_equal(walk.section, DNS_SECTION_ADDITIONAL);
	assert_int_equal(walk.left, 0);
	assert_false(walk.reader.failed);
	return count;
}

static void check_vector(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	int error = dns_answer_open(&answer, message);
	bool good = strcmp(expected, "MALFORMED") != 0;
	if (good != (error == 0))
		fail_msg("%s: error %d", title, error);
	if (good && walk_all(&answer) != strtoul(expected, NULL, 10))
		fail_msg("%s: %u records", title, walk_all(&answer));
}

static void every_vector_opens_or_does_not(void **state)
{
	(void)state;
	assert_in_range(wire_vectors(TEST_VECTORS "/answers.txt", check_vector), 40, 1000);
}

static void check_prefixes(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	if (strcmp(expected, "MALFORMED") == 0 || strstr(title, "behind the last"))
		return;
	for (size_t len = 0; len < message.len; len++)
		if (dns_answer_open(&answer, wire_keep(slice_of(message.at, len))) == 0)
			fail_msg("%s opens with %zu bytes", title, len);
}

static void no_prefix_of_an_answer_opens(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_prefixes);
}

static struct dns_name name_from_glibc(const char *text)
{
	struct dns_name name;
	const char *full = *text ? text : ".";
	assert_true(dns_name_from_text(&name, slice_of_text(full)));
	return name;
}

/* RDATA with its names expanded by us, against glibc's expansion of the same name. */
static void compare_first_name(const struct dns_record *record, const ns_msg *theirs,
	const ns_rr *rr, const struct dns_answer *answer)
{
	struct dns_name target;
	char text[NS_MAXDNAME];
	if (dns_rdata_kind(record->type) != DNS_RDATA_NAME)
		return;
	assert_true(dns_record_target(answer, record, &target));
	assert_int_equal(ns_name_uncompress(ns_msg_base(*theirs), ns_msg_end(*theirs),
				 ns_rr_rdata(*rr), text, sizeof text),
		record->rdata.len);
	struct dns_name name = name_from_glibc(text);
	assert_true(slice_equals(dns_name_slice(&name), dns_name_slice(&target)));
}

/* The same records as glibc's parser sees, in the same order. */
static void compare_with_glibc(const struct dns_answer *answer)
{
	ns_msg theirs;
	struct dns_record_walk walk;
	struct dns_record record;
	assert_int_equal(ns_initparse(answer->message.at, (int)answer->message.len, &theirs), 0);
	dns_record_walk_begin(&walk, answer);
	for (int section = 0; section < 3; section++) {
		int count = ns_msg_count(theirs, (ns_sect)(ns_s_an + section));
		assert_int_equal(answer->counts[section], count);
		for (int i = 0; i < count; i++) {
			ns_rr rr;
			assert_int_equal(
				ns_parserr(&theirs, (ns_sect)(ns_s_an + section), i, &rr), 0);
			unsigned type = (unsigned)ns_rr_type(rr);
			if (type == DNS_TYPE_OPT || type == DNS_TYPE_TSIG)
				continue;
			assert_true(dns_record_next(&walk, &record));
			assert_int_equal(record.section, section);
			assert_int_equal(record.type, type);
			assert_int_equal(record.class, ns_rr_class(rr));
			assert_int_equal(record.ttl_s, ns_rr_ttl(rr) >> 31 ? 0 : ns_rr_ttl(rr));
			assert_int_equal(record.rdata.len, ns_rr_rdlen(rr));
			assert_ptr_equal(record.rdata.at, ns_rr_rdata(rr));
			assert_ptr_equal(record.rdata.at, answer->message.at + record.rdata_at);
			struct dns_name owner = name_from_glibc(ns_rr_name(rr));
			assert_true(slice_equals(
				dns_name_slice(&owner), dns_name_slice(&record.owner)));
			compare_first_name(&record, &theirs, &rr, answer);
		}
	}
	assert_false(dns_record_next(&walk, &record));
}

static void check_against_glibc(const char *expected, const char *title, struct slice message)
{
	struct dns_answer answer;
	(void)expected;
	if (dns_answer_open(&answer, message) == 0 && !strstr(title, "behind the last"))
		compare_with_glibc(&answer);
}

static void reads_the_records_that_glibc_reads(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_against_glibc);
}

/* One byte wrong, at every place: refused, or understood as glibc does, and rebuilt all the same.
 */
static void check_damage(const char *expected, const char *title, struct slice message)
{
	static uint8_t buffer[65535];
	uint8_t *bytes = (uint8_t *)(uintptr_t)wire_keep(message).at;
	(void)expected;
	(void)title;
	for (size_t at = 0; at < message.len; at++) {
		static const uint8_t damage[] = { 0x00, 0x01, 0x0c, 0x40, 0x80, 0xc0, 0xff };
		for (size_t i = 0; i < sizeof damage; i++) {
			struct dns_answer answer;
			struct dns_reply reply;
			bytes[at] = damage[i];
			if (dns_answer_open(&answer, slice_of(bytes, message.len)) < 0)
				continue;
			walk_all(&answer);
			ns_msg theirs;
			if (ns_initparse(bytes, (int)message.len, &theirs) == 0)
				compare_with_glibc(&answer);
			struct dns_query query = rebuild_query(&answer, true);
			rebuild_compare(&answer,
				rebuild(&reply, &query, &answer,
					(struct dns_reply_limits){ .size = sizeof buffer }, buffer,
					sizeof buffer));
		}
		bytes[at] = message.at[at];
	}
}

static void damaged_answers_do_no_harm(void **state)
{
	(void)state;
	wire_vectors(TEST_VECTORS "/answers.txt", check_damage);
}

static void shows_the_header(void **state)
{
	(void)state;
	struct dns_answer answer;
	struct slice message = wire("beef 85a3 0001 0000 0000 0001 'wWw.example' 001c 0003"
				    "00 0029 1000 01 00 8000 0008 000f 0004 0016 6f6b");
	assert_int_equal(dns_answer_open(&answer, message), 0);
	assert_int_equal(answer.id, 0xbeef);
	assert_int_equal(answer.flags, 0x85a3);
	assert_int_equal(answer.rcode, 0x13); /* the OPT's bits stand above the header's */
	assert_true(slice_equals(answer.name, wire("'wWw.example'")));
	assert_int_equal(answer.type, 28);
	assert_int_equal(answer.class, 3);
	assert_true(answer.opt.present && answer.opt.dnssec_ok);
	assert_int_equal(answer.opt.payload_size, 4096);
	assert_true(slice_equals(answer.opt.ede, wire("0016 6f6b")));
}

static void knows_whose_answer_it_is(void **state)
{
	(void)state;
	struct dns_answer answer;
	assert_int_equal(dns_answer_open(&answer,
				 wire("1234 8180 0001 0000 0000 0000 'www.Example' 0001 0001")),
		0);
	assert_true(dns_answer_is_for(&answer, wire("'WWW.example'"), 1, 1));
	assert_false(dns_answer_is_for(&answer, wire("'www.example'"), 28, 1));
	assert_false(dns_answer_is_for(&answer, wire("'www.example'"), 1, 3));
	assert_false(dns_answer_is_for(&answer, wire("'www.example2'"), 1, 1));
	assert_false(dns_answer_is_for(&answer, wire("'www\\.example'"), 1, 1));
	assert_int_equal(dns_answer_open(&answer,
				 wire("1234 a180 0001 0000 0000 0000 'www.Example' 0001 0001")),
		0);
	assert_false(dns_answer_is_for(&answer, wire("'www.example'"), 1, 1)); /* opcode 4 */
}

static void finds_targets(void **state)
{
	(void)state;
	const struct {
		uint16_t type;
		const char *rdata;
		const char *target; /* NULL: none */
	} rows[] = {
		{ DNS_TYPE_CNAME, "01 61 c010", "'a.example'" },
		{ DNS_TYPE_DNAME, "'b.test'", "'b.test'" },
		{ DNS_TYPE_NS, "c00c", "'www.example'" },
		{ DNS_TYPE_PTR, "00", "'.'" },
		{ DNS_TYPE_HTTPS, "0001 00", "'.'" },
		{ DNS_TYPE_HTTPS, "0000 'svc.test' 0001 0003 02 \"h2\"", "'svc.test'" },
		{ DNS_TYPE_SVCB, "0000 c00c", "'www.example'" },
		{ DNS_TYPE_A, "c00c 0000", NULL },
		{ DNS_TYPE_MX, "000a c00c", NULL },
		{ 65400, "c00c", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[512];
		struct dns_answer answer;
		struct dns_record_walk walk;
		struct dns_record record;
		struct dns_name target;
		snprintf(notation, sizeof notation,
			"1234 8180 0001 0001 0000 0000 'www.example' 00ff 0001"
			"c00c %04x 0001 00000000 %04zx %s",
			rows[i].type, wire(rows[i].rdata).len, rows[i].rdata);
		assert_int_equal(dns_answer_open(&answer, wire(notation)), 0);
		dns_record_walk_begin(&walk, &answer);
		assert_true(dns_record_next(&walk, &record));
		assert_int_equal(
			dns_record_target(&answer, &record, &target), rows[i].target != NULL);
		if (rows[i].target)
			assert_true(slice_equals(dns_name_slice(&target), wire(rows[i].target)));
	}
}

static void counts_records(void **state)
{
	(void)state;
	static uint8_t buffer[65535];
	for (unsigned count = DNS_ANSWER_RECORDS_MAX - 1; count <= DNS_ANSWER_RECORDS_MAX + 1;
		count++) {
		struct writer to = writer_of(buffer, sizeof buffer);
		struct dns_answer answer;
		writer_slice_bytes(&to, wire("1234 8180 0001 0000 0000 0000 'a' 0001 0001"));
		writer_patch_u16(&to, 6, 1);
		writer_patch_u16(&to, 10, (uint16_t)(count - 1));
		for (unsigned i = 0; i < count; i++)
			writer_slice_bytes(&to, wire("c00c 0010 0001 00000000 0000"));
		assert_int_equal(dns_answer_open(&answer, wire_keep(writer_slice(&to))) == 0,
			count <= DNS_ANSWER_RECORDS_MAX);
	}
}

/* 255 bytes of owner a record: 1028 make 256 KiB, one more is too much. */
static void names_have_a_sum(void **state)
{
	(void)state;
	static uint8_t buffer[65535];
	const unsigned most = DNS_ANSWER_NAMES_MAX / 255;
	for (unsigned count = most; count <= most + 1; count++) {
		struct writer to = writer_of(buffer, sizeof buffer);
		struct dns_answer answer;
		writer_slice_bytes(&to,
			wire("1234 8180 0001 0000 0000 0000 "
			     "3f 61*63 3f 62*63 3f 63*63 3d 64*61 00 0001 0001"));
		writer_patch_u16(&to, 6, (uint16_t)count);
		for (unsigned i = 0; i < count; i++)
			writer_slice_bytes(&to, wire("c00c 0001 0001 00000000 0004 c0000201"));
		assert_int_equal(
			dns_answer_open(&answer, wire_keep(writer_slice(&to))) == 0, count <= most);
	}
}

/* Answers of random records, compressed by glibc, which knows nothing of our code. */
static size_t add_name(struct writer *to, struct random_pool *pool, const u_char **names)
{
	static const char *const texts[] = { "www.example.com", "example.com", "a.b.c.example.com",
		"cdn.test", "x.cdn.test", ".", "A.EXAMPLE.com", "\\000\\046.test" };
	const char *text = texts[random_below(pool, sizeof texts / sizeof *texts)];
	int len =
		ns_name_compress(text, to->at + to->len, to->capacity - to->len, names, names + 60);
	assert_true(len > 0);
	to->len += (size_t)len;
	return (size_t)len;
}

static void add_record(struct writer *to, struct random_pool *pool, const u_char **names)
{
	static const struct {
		uint16_t type;
		const char *layout; /* n: a name, a digit: random bytes */
	} kinds[] = { { 1, "4" }, { 2, "n" }, { 5, "n" }, { 6, "nn44444" }, { 12, "n" },
		{ 14, "nn" }, { 15, "2n" }, { 16, "04" }, { 33, "6n" }, { 39, "n" },
		{ 65400, "97" }, { 28, "97" } };
	size_t kind = random_below(pool, sizeof kinds / sizeof *kinds);
	add_name(to, pool, names);
	writer_u16(to, kinds[kind].type);
	writer_u16(to, 1);
	writer_u32(to, (uint32_t)random_u64(pool));
	writer_u16(to, 0);
	size_t rdata_at = to->len;
	for (const char *part = kinds[kind].layout; *part; part++) {
		if (*part == 'n')
			add_name(to, pool, names);
		for (int i = 0; *part != 'n' && i < *part - '0'; i++)
			writer_u8(to, (uint8_t)random_u16(pool));
	}
	writer_patch_u16(to, rdata_at - 2, (uint16_t)(to->len - rdata_at));
}

static void random_answers_are_read_and_rebuilt(void **state)
{
	(void)state;
	static uint8_t buffer[65535], rebuilt[65535];
	struct random_pool pool = { 0 };
	for (unsigned round = 0; round < 500; round++) {
		const u_char *names[61] = { buffer };
		struct writer to = writer_of(buffer, sizeof buffer);
		struct dns_answer answer;
		struct dns_reply reply;
		unsigned total = 0;
		writer_slice_bytes(
			&to, wire("1234 8180 0001 0000 0000 0000 'www.example.com' 0001 0001"));
		for (size_t section = 0; section < 3; section++) {
			unsigned count = random_below(&pool, 20);
			writer_patch_u16(&to, 6 + 2 * section, (uint16_t)count);
			total += count;
			while (count-- > 0)
				add_record(&to, &pool, names);
		}
		assert_false(to.failed);
		assert_int_equal(dns_answer_open(&answer, wire_keep(writer_slice(&to))), 0);
		assert_int_equal(walk_all(&answer), total);
		compare_with_glibc(&answer);
		struct dns_query query = rebuild_query(&answer, round % 2);
		struct slice message = rebuild(&reply, &query, &answer,
			(struct dns_reply_limits){ .size = sizeof rebuilt }, rebuilt,
			sizeof rebuilt);
		assert_int_equal(rebuild_compare(&answer, message), total);
		struct dns_answer after;
		assert_int_equal(dns_answer_open(&after, message), 0);
		compare_with_glibc(&after);
	}
}

/* TTLs count down, not below 0; what a negative answer's SOA says about it counts. OPT has no TTL.
 */
static void ages(void **state)
{
	(void)state;
	struct slice message = wire("0001 8180 0001 0002 0002 0001 'a.example' 0001 0001"
				    "c00c 0001 0001 0000012c 0004 c0000201"
				    "c00c 0001 0001 00000064 0004 c0000202"
				    "c00e 0006 0001 00000e10 0016 00 00 00000001 00000002 00000003"
				    "00000004 000000c8"
				    "c00e 0002 0001 80000000 0002 c00c"
				    "00 0029 04d0 00008000 0000");
	static const uint32_t ttls[] = { 200, 0, 100, 0 };
	struct dns_answer answer;
	uint8_t to[512], again[512];
	assert_int_equal(dns_answer_open(&answer, message), 0);
	dns_answer_age(&answer, to, 100);
	assert_ptr_equal(answer.message.at, to);
	assert_int_equal(answer.message.len, message.len);
	assert_true(answer.opt.present && answer.opt.dnssec_ok);
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, &answer);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(dns_record_next(&walk, &record));
		assert_int_equal(record.ttl_s, ttls[i]);
	}
	assert_false(dns_record_next(&walk, &record));
	dns_answer_age(&answer, again, UINT32_MAX);
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record))
		assert_int_equal(record.ttl_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_opens_or_does_not),
		cmocka_unit_test(no_prefix_of_an_answer_opens),
		cmocka_unit_test(reads_the_records_that_glibc_reads),
		cmocka_unit_test(damaged_answers_do_no_harm),
		cmocka_unit_test(shows_the_header),
		cmocka_unit_test(knows_whose_answer_it_is),
		cmocka_unit_test(finds_targets),
		cmocka_unit_test(counts_records),
		cmocka_unit_test(names_have_a_sum),
		cmocka_unit_test(random_answers_are_read_and_rebuilt),
		cmocka_unit_test(ages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
