#include "tests/unit/rules_fixture.h"

#include "proxy/watch/log_client.h"

#include <errno.h>
#include <unistd.h>

static const uint8_t key[SIPHASH_KEY_LEN] = { 1, 2, 3 };
static const uint8_t other_key[SIPHASH_KEY_LEN] = { 1, 2, 4 };

static const char *text_of(const char *client, enum log_clients clients, const uint8_t *with)
{
	static char texts[4][64];
	static unsigned next;
	char *text = texts[next++ % 4];
	struct writer to = writer_of(text, 63);
	struct address address;
	assert_true(address_parse(&address, client));
	log_client_write_address(&to, &address, clients, with);
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *client;
		const char *truncated;
	} rows[] = {
		{ "192.0.2.17", "192.0.2.0" },
		{ "255.255.255.255", "255.255.255.0" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1::" },
		{ "::1", "::" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(text_of(rows[i].client, LOG_CLIENTS_FULL, key), rows[i].client);
		assert_string_equal(
			text_of(rows[i].client, LOG_CLIENTS_TRUNCATED, key), rows[i].truncated);
		assert_string_equal(text_of(rows[i].client, LOG_CLIENTS_OMITTED, key), "");
		const char *hash = text_of(rows[i].client, LOG_CLIENTS_HASHED, key);
		assert_int_equal(strlen(hash), 16);
		assert_int_equal(strspn(hash, "0123456789abcdef"), 16);
		assert_string_equal(text_of(rows[i].client, LOG_CLIENTS_HASHED, key), hash);
		assert_string_not_equal(
			text_of(rows[i].client, LOG_CLIENTS_HASHED, other_key), hash);
		assert_string_not_equal(text_of("10.0.0.1", LOG_CLIENTS_HASHED, key), hash);
	}
}

static void test_names(void **state)
{
	(void)state;
	char text[600];
	char longest[400];
	struct writer to = writer_of(text, sizeof text);
	assert_true(log_client_write_id(&to, slice_of_text("a\"b"), LOG_CLIENTS_FULL, key));
	assert_true(slice_equals_text(writer_slice(&to), "a\\\"b"));
	to = writer_of(text, sizeof text);
	assert_false(log_client_write_id(&to, slice_of_text("anna"), LOG_CLIENTS_TRUNCATED, key));
	assert_false(log_client_write_id(&to, slice_of_text("anna"), LOG_CLIENTS_OMITTED, key));
	assert_false(log_client_write_id(&to, slice_of(NULL, 0), LOG_CLIENTS_FULL, key));
	assert_false(log_client_write_id(&to, slice_of(NULL, 0), LOG_CLIENTS_HASHED, key));
	assert_int_equal(to.len, 0);
	memset(longest, 'x', sizeof longest);
	assert_true(log_client_write_id(
		&to, slice_of(longest, sizeof longest), LOG_CLIENTS_HASHED, key));
	assert_int_equal(to.len, 16);
	/* A name whose bytes are those of an address is somebody else. */
	struct address address;
	assert_true(address_parse(&address, "10.0.0.1"));
	to = writer_of(text, sizeof text);
	assert_true(log_client_write_id(
		&to, slice_of(address.bytes, sizeof address.bytes), LOG_CLIENTS_HASHED, key));
	assert_false(
		slice_equals_text(writer_slice(&to), text_of("10.0.0.1", LOG_CLIENTS_HASHED, key)));
}

static void write_file(const char *path, size_t len)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	for (size_t i = 0; i < len; i++)
		fputc((int)i & 0xff, file);
	fclose(file);
}

static void test_keys(void **state)
{
	(void)state;
	char path[] = "/tmp/log_client_test.XXXXXX";
	uint8_t keys[4][SIPHASH_KEY_LEN];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_file(path, LOG_CLIENT_KEY_MIN);
	assert_int_equal(log_client_key(path, keys[0]), 0);
	assert_int_equal(log_client_key(path, keys[1]), 0);
	assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
	write_file(path, LOG_CLIENT_KEY_MIN + 1);
	assert_int_equal(log_client_key(path, keys[1]), 0);
	assert_memory_not_equal(keys[0], keys[1], sizeof keys[0]);
	write_file(path, LOG_CLIENT_KEY_MAX);
	assert_int_equal(log_client_key(path, keys[1]), 0);
	write_file(path, LOG_CLIENT_KEY_MAX + 1);
	assert_int_equal(log_client_key(path, keys[1]), ERR_INVALID);
	write_file(path, LOG_CLIENT_KEY_MIN - 1);
	assert_int_equal(log_client_key(path, keys[1]), ERR_INVALID);
	unlink(path);
	assert_int_equal(log_client_key(path, keys[1]), -ENOENT);
	assert_int_equal(log_client_key(NULL, keys[2]), 0);
	assert_int_equal(log_client_key(NULL, keys[3]), 0);
	assert_memory_not_equal(keys[2], keys[3], sizeof keys[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
