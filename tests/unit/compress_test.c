#include "dns/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/nameser.h>

#include "base/random.h"
#include "tests/unit/wire.h"

static uint8_t buffer[70000];

/* A message that begins with a header, and with a question when there is one. */
static struct writer begin(struct dns_compress *compress, const char *question)
{
	struct writer message = writer_of(buffer, sizeof buffer);
	dns_compress_init(compress);
	writer_zeros(&message, 12);
	if (question) {
		writer_slice_bytes(&message, wire(question));
		dns_compress_learn(compress, &message, 12);
	}
	return message;
}

static void points_at_what_stands_there(void **state)
{
	(void)state;
	const struct {
		const char *question;
		const char *names[4];
		const char *written; /* behind the question */
	} rows[] = {
		{ "'www.example.com'", { "'www.example.com'" }, "c00c" },
		{ "'www.example.com'", { "'example.com'", "'com'" }, "c010 c018" },
		{ "'www.example.com'", { "'a.example.com'", "'b.a.example.com'" },
			"01 61 c010 01 62 c01d" },
		{ "'www.example.com'", { "'WWW.EXAMPLE.COM'" }, "c00c" },
		{ "'wWw.eXample.com'", { "'a.Example.Com'" }, "01 61 c010" },
		{ "'www.example.com'", { "'.'", "'.'" }, "00 00" },
		{ "'.'", { "'.'", "'a'", "'a'" }, "00 01 61 00 c00e" },
		{ "'a.b'", { "'b.a'", "'a'", "'b.a'" }, "01 62 01 61 00 c013 c011" },
		/* the same label under another parent is another name */
		{ "'www.example.com'", { "'www.com'", "'www.example'" },
			"03 \"www\" c018 03 \"www\" 07 \"example\" 00" },
		/* a dot in a label separates nothing */
		{ "'a.b'", { "'a\\.b'" }, "03 612e62 00" },
		{ "'\\003www.a'", { "'www.a'" }, "03 \"www\" c011" },
		{ NULL, { "'a.b'", "'a.b'", "'c.b'" }, "01 61 01 62 00 c00c 01 63 c00e" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_compress compress;
		struct writer message = begin(&compress, rows[i].question);
		size_t start = message.len;
		for (size_t j = 0; j < 4 && rows[i].names[j]; j++)
			dns_compress_write(&compress, &message, wire(rows[i].names[j]));
		assert_true(slice_equals(
			slice_of(buffer + start, message.len - start), wire(rows[i].written)));
	}
}

/* The question is found whole even when it has more labels than there are slots. */
static void a_long_question_is_found_whole(void **state)
{
	(void)state;
	struct dns_compress compress;
	uint8_t name[255];
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i == 254 ? 0 : i % 2 ? (uint8_t)('A' + i / 2 % 26) : 1;
	struct writer message = writer_of(buffer, sizeof buffer);
	dns_compress_init(&compress);
	writer_zeros(&message, 12);
	writer_bytes(&message, name, sizeof name);
	dns_compress_learn(&compress, &message, 12);
	dns_name_lower(name, name, sizeof name);
	dns_compress_write(&compress, &message, slice_of(name, sizeof name));
	assert_int_equal(message.len, 12 + 255 + 2);
	assert_memory_equal(buffer + 267, "\xc0\x0c", 2);
}

/* Fourteen bits: what stands behind 0x3fff cannot be pointed at (RFC 1035 4.1.4). */
static void points_no_further_than_fourteen_bits(void **state)
{
	(void)state;
	for (size_t position = 0x3ff0; position <= 0x4004; position++) {
		struct dns_compress compress;
		struct writer message = begin(&compress, NULL);
		writer_zeros(&message, position - message.len);
		dns_compress_write(&compress, &message, wire("'aaa.bbb'"));
		size_t after = message.len;
		dns_compress_write(&compress, &message, wire("'aaa.bbb'"));
		/* "aaa" stands at `position`, "bbb" 4 bytes behind it */
		size_t expected = position + 4 > 0x3fff ? 9 : 2;
		assert_int_equal(message.len - after, expected);
		struct reader reader = reader_of(writer_slice(&message));
		struct dns_name name;
		reader_seek(&reader, after);
		dns_name_read(&reader, &name);
		assert_true(slice_equals(dns_name_slice(&name), wire("'aaa.bbb'")));
	}
}

static void forgets_what_was_cut_off(void **state)
{
	(void)state;
	struct dns_compress compress;
	struct writer message = begin(&compress, "'www.example.com'");
	size_t cut = message.len;
	dns_compress_write(&compress, &message, wire("'mail.example.com'"));
	dns_compress_write(&compress, &message, wire("'other.test'"));
	message.len = cut;
	dns_compress_cut(&compress, cut);
	dns_compress_write(&compress, &message, wire("'mail.example.com'"));
	dns_compress_write(&compress, &message, wire("'www.example.com'"));
	assert_true(slice_equals(
		slice_of(buffer + cut, message.len - cut), wire("04 \"mail\" c010 c00c")));
	dns_compress_cut(&compress, 12);
	message.len = 12;
	dns_compress_write(&compress, &message, wire("'www.example.com'"));
	assert_int_equal(message.len, 12 + 17);
}

/* The same label stands where one was cut off, but another name goes on behind it. */
static void a_new_name_in_an_old_place_is_itself(void **state)
{
	(void)state;
	struct dns_compress compress;
	struct writer message = begin(&compress, "'www.example.com'");
	size_t cut = message.len;
	dns_compress_write(&compress, &message, wire("'a.example.com'"));
	message.len = cut;
	dns_compress_cut(&compress, cut);
	dns_compress_write(&compress, &message, wire("'a.other'"));
	dns_compress_write(&compress, &message, wire("'a.example.com'"));
	assert_true(slice_equals(slice_of(buffer + cut, message.len - cut),
		wire("01 61 05 \"other\" 00 01 61 c010")));
}

/* When the writer is full, nothing is remembered that is not there, nor read behind its end. */
static void remembers_nothing_after_an_overflow(void **state)
{
	(void)state;
	struct slice name = wire("'www.example.com'");
	for (size_t room = 0; room < name.len; room++) {
		struct dns_compress compress;
		struct slice memory = wire_keep(slice_of(buffer, 12 + room));
		struct writer message = writer_of((uint8_t *)(uintptr_t)memory.at, memory.len);
		dns_compress_init(&compress);
		writer_zeros(&message, 12);
		dns_compress_write(&compress, &message, name);
		assert_true(message.failed);
		assert_true(message.len <= message.capacity);
		for (size_t i = 0; i < DNS_COMPRESS_SLOTS; i++)
			assert_int_equal(compress.slots[i].position, 0);
	}
}

static void write_random_name(struct random_pool *pool, struct dns_name *name)
{
	static const char *const labels[] = { "a", "A", "b", "www", "WWW", "example", "com", "net",
		"\1a", "a\1b", ".", "xn--bcher-kva", "_tcp" };
	name->len = 0;
	for (unsigned i = random_below(pool, 7); i > 0; i--) {
		const char *label = labels[random_below(pool, sizeof labels / sizeof *labels)];
		name->wire[name->len++] = (uint8_t)strlen(label);
		memcpy(name->wire + name->len, label, strlen(label));
		name->len = (uint8_t)(name->len + strlen(label));
	}
	name->wire[name->len++] = 0;
}

/* Many names, far more than there are slots: each reads back as itself, by us and by glibc. */
static void every_name_reads_back(void **state)
{
	(void)state;
	enum { NAMES = 300, ROUNDS = 100 };
	static struct dns_name names[NAMES];
	static size_t positions[NAMES];
	struct random_pool pool = { 0 };
	size_t plain = 0, packed = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct dns_compress compress;
		struct writer message = begin(&compress, round % 2 ? "'a.example.com'" : NULL);
		size_t start = message.len;
		for (size_t i = 0; i < NAMES; i++) {
			write_random_name(&pool, &names[i]);
			positions[i] = message.len;
			dns_compress_write(&compress, &message, dns_name_slice(&names[i]));
			assert_true(message.len - positions[i] <= names[i].len);
			plain += names[i].len;
		}
		packed += message.len - start;
		for (size_t i = 0; i < NAMES; i++) {
			struct reader reader = reader_of(writer_slice(&message));
			struct dns_name name;
			uint8_t theirs[NS_MAXCDNAME];
			reader_seek(&reader, positions[i]);
			dns_name_read(&reader, &name);
			assert_true(
				dns_name_equals(dns_name_slice(&name), dns_name_slice(&names[i])));
			assert_true(ns_name_unpack(buffer, buffer + message.len,
					    buffer + positions[i], theirs, sizeof theirs) > 0);
			assert_memory_equal(theirs, name.wire, name.len);
		}
	}
	assert_true(packed * 10 < plain * 9); /* 79 %: 64 slots against 300 unrelated names */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_at_what_stands_there),
		cmocka_unit_test(a_long_question_is_found_whole),
		cmocka_unit_test(points_no_further_than_fourteen_bits),
		cmocka_unit_test(forgets_what_was_cut_off),
		cmocka_unit_test(a_new_name_in_an_old_place_is_itself),
		cmocka_unit_test(remembers_nothing_after_an_overflow),
		cmocka_unit_test(every_name_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
