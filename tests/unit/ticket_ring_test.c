#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/tls_fixture.h"
#include "tls/private.h"

/* Key number n has n in its name, n + 1 ... in the rest. */
static void write_keys(uint8_t *to, size_t count)
{
	for (size_t i = 0; i < count * TLS_TICKET_KEY_LEN; i++)
		to[i] = (uint8_t)(i + i / TLS_TICKET_KEY_LEN);
}

static void test_the_first_seals_and_all_open(void **state)
{
	(void)state;
	uint8_t bytes[3 * TLS_TICKET_KEY_LEN];
	char message[TLS_MESSAGE_MAX];
	struct tls_ticket_key key;
	write_keys(bytes, 3);
	struct tls_ticket_ring *ring =
		tls_ticket_ring_parse(slice_of(bytes, sizeof bytes), message);
	assert_non_null(ring);
	tls_ticket_ring_newest(ring, &key);
	assert_memory_equal(&key, bytes, sizeof key);
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *at = bytes + i * TLS_TICKET_KEY_LEN;
		enum tls_ticket_age age = tls_ticket_ring_find(ring, at, &key);
		assert_int_equal(age, i == 0 ? TLS_TICKET_OF_NEWEST : TLS_TICKET_OF_PREVIOUS);
		assert_memory_equal(&key, at, sizeof key);
	}
	assert_int_equal(tls_ticket_ring_find(ring, bytes + 1, &key), TLS_TICKET_UNKNOWN);
	tls_ticket_ring_unref(ring);
}

static void test_what_is_no_file_of_keys(void **state)
{
	(void)state;
	static uint8_t bytes[17 * TLS_TICKET_KEY_LEN];
	static const struct {
		size_t len;
		const char *says; /* NULL: it is good */
	} rows[] = {
		{ 1, "1 bytes; keys of 80 bytes each are wanted" },
		{ 48, "a key of 48 bytes (AES-128); it has to have 80" },
		{ 79, "79 bytes" },
		{ 80, NULL },
		{ 81, "81 bytes" },
		{ 159, "159 bytes" },
		{ 16 * 80, NULL },
		{ 17 * 80, "17 keys, 16 at most" },
	};
	write_keys(bytes, 17);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char message[TLS_MESSAGE_MAX] = "";
		struct tls_ticket_ring *ring =
			tls_ticket_ring_parse(slice_of(bytes, rows[i].len), message);
		assert_int_equal(ring == NULL, rows[i].says != NULL);
		if (rows[i].says && !strstr(message, rows[i].says))
			fail_msg("%zu: %s", rows[i].len, message);
		tls_ticket_ring_unref(ring);
	}
}

static void test_twins_and_blanks(void **state)
{
	(void)state;
	uint8_t bytes[2 * TLS_TICKET_KEY_LEN];
	char message[TLS_MESSAGE_MAX];
	write_keys(bytes, 2);
	memcpy(bytes + TLS_TICKET_KEY_LEN, bytes, TLS_TICKET_NAME_LEN);
	assert_null(tls_ticket_ring_parse(slice_of(bytes, sizeof bytes), message));
	assert_non_null(strstr(message, "the same name"));
	write_keys(bytes, 2);
	memset(bytes + TLS_TICKET_KEY_LEN + TLS_TICKET_NAME_LEN, 'x', 32);
	assert_null(tls_ticket_ring_parse(slice_of(bytes, sizeof bytes), message));
	assert_non_null(strstr(message, "not random"));
}

static void test_the_same_keys_in_another_order_are_others(void **state)
{
	(void)state;
	uint8_t bytes[2 * TLS_TICKET_KEY_LEN], swapped[sizeof bytes];
	char message[TLS_MESSAGE_MAX];
	write_keys(bytes, 2);
	memcpy(swapped, bytes + TLS_TICKET_KEY_LEN, TLS_TICKET_KEY_LEN);
	memcpy(swapped + TLS_TICKET_KEY_LEN, bytes, TLS_TICKET_KEY_LEN);
	struct tls_ticket_ring *a = tls_ticket_ring_parse(slice_of(bytes, sizeof bytes), message);
	struct tls_ticket_ring *b = tls_ticket_ring_parse(slice_of(bytes, sizeof bytes), message);
	struct tls_ticket_ring *c =
		tls_ticket_ring_parse(slice_of(swapped, sizeof swapped), message);
	struct tls_ticket_ring *d =
		tls_ticket_ring_parse(slice_of(bytes, TLS_TICKET_KEY_LEN), message);
	assert_true(tls_ticket_ring_equal(a, b));
	assert_false(tls_ticket_ring_equal(a, c));
	assert_false(tls_ticket_ring_equal(a, d));
	tls_ticket_ring_unref(a);
	tls_ticket_ring_unref(b);
	tls_ticket_ring_unref(c);
	tls_ticket_ring_unref(d);
	tls_ticket_ring_unref(NULL);
}

static void test_of_a_file(void **state)
{
	(void)state;
	struct fixture_directory directory = fixture_directory_make();
	uint8_t bytes[TLS_TICKET_KEY_LEN];
	char path[128], message[TLS_MESSAGE_MAX];
	write_keys(bytes, 1);
	fixture_write(&directory, "keys", bytes, sizeof bytes);
	fixture_path(&directory, "keys", path);
	struct tls_ticket_ring *ring = tls_ticket_ring_load(path, message);
	assert_non_null(ring);
	assert_false(tls_ticket_ring_is_open_to_all(ring));
	tls_ticket_ring_unref(ring);
	chmod(path, 0644);
	ring = tls_ticket_ring_load(path, message);
	assert_true(tls_ticket_ring_is_open_to_all(ring));
	tls_ticket_ring_unref(ring);
	unlink(path);
	assert_null(tls_ticket_ring_load(path, message));
	assert_non_null(strstr(message, "ticket_key_file \""));
	assert_non_null(strstr(message, "No such file"));
	fixture_remove(&directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_seals_and_all_open),
		cmocka_unit_test(test_what_is_no_file_of_keys),
		cmocka_unit_test(test_twins_and_blanks),
		cmocka_unit_test(test_the_same_keys_in_another_order_are_others),
		cmocka_unit_test(test_of_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
