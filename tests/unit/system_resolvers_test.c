#include "proxy/upstream/system_resolvers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static void test_texts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *own; /* our listener's address on port 53, or NULL */
		const char *found[SYSTEM_RESOLVERS_MAX];
		unsigned own_count, skipped;
	} rows[] = {
		{ "", NULL, { 0 }, 0, 0 },
		{ "nameserver 192.0.2.1\n", NULL, { "192.0.2.1" }, 0, 0 },
		{ "nameserver 192.0.2.1", NULL, { "192.0.2.1" }, 0, 0 },
		{ "nameserver\t 2001:db8::1  \r\n", NULL, { "2001:db8::1" }, 0, 0 },
		{ "search nameserver 1.2.3.4\n#nameserver 192.0.2.1\n; nameserver 192.0.2.2\n",
			NULL, { 0 }, 0, 0 },
		{ "nameservers 192.0.2.1\nNAMESERVER 192.0.2.1\n", NULL, { 0 }, 0, 0 },
		{ "options edns0\nnameserver 192.0.2.1 # first\nnameserver 192.0.2.2\n", NULL,
			{ "192.0.2.1", "192.0.2.2" }, 0, 0 },
		{ "nameserver fe80::1%eth0\nnameserver\nnameserver 1.2.3\nnameserver 192.0.2.3\n",
			NULL, { "192.0.2.3" }, 0, 3 },
		{ "nameserver 192.0.2.1\nnameserver 192.0.2.1\n", NULL, { "192.0.2.1" }, 0, 0 },
		{ "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		  "nameserver 192.0.2.4\n",
			NULL, { "192.0.2.1", "192.0.2.2", "192.0.2.3" }, 0, 1 },
		/* not ourselves */
		{ "nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "127.0.0.1", { "192.0.2.1" }, 1,
			0 },
		{ "nameserver 127.0.0.53\nnameserver 127.0.0.1\n", "127.0.0.1", { "127.0.0.53" }, 1,
			0 },
		{ "nameserver 127.0.0.53\nnameserver ::1\n", "0.0.0.0", { "::1" }, 1, 0 },
		{ "nameserver 127.0.0.1\nnameserver ::1\nnameserver ::\n", "::", { "127.0.0.1" }, 2,
			0 },
		{ "nameserver 127.0.0.1\n", NULL, { "127.0.0.1" }, 0, 0 },
		{ "nameserver 12345678901234567890123456789012345678901234567890123456789\n", NULL,
			{ 0 }, 0, 1 },
		{ "\n\n\n \t\nnameserver", NULL, { 0 }, 0, 1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct system_resolvers got;
		struct address own;
		if (rows[i].own)
			assert_true(address_parse(&own, rows[i].own));
		system_resolvers_parse(
			&got, slice_of_text(rows[i].text), &own, rows[i].own != NULL);
		size_t count = 0;
		for (; count < SYSTEM_RESOLVERS_MAX && rows[i].found[count]; count++) {
			assert_true(count < got.count);
			assert_string_equal(got.upstreams[count].name, rows[i].found[count]);
			assert_int_equal(got.upstreams[count].port, 53);
			char text[ADDRESS_TEXT_MAX];
			address_text(&got.upstreams[count].address, text);
			assert_string_equal(text, rows[i].found[count]);
		}
		if (got.count != count || got.own != rows[i].own_count ||
			got.skipped != rows[i].skipped)
			fail_msg("row %zu: %zu found, %u own, %u skipped", i, got.count, got.own,
				got.skipped);
	}
	/* A NUL in the middle of an address is no end of it. */
	struct system_resolvers got;
	system_resolvers_parse(&got, slice_of("nameserver 192.0.2.1\0x", 22), NULL, 0);
	assert_int_equal(got.count, 0);
}

static void test_file(void **state)
{
	(void)state;
	char path[] = "/tmp/system_resolvers_test_XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "nameserver 127.0.0.1\nnameserver 192.0.2.7\nnameserver x\n";
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd);
	struct listener_config listeners[3] = {
		{ .kind = LISTENER_DOT, .port = 53 },   /* another protocol */
		{ .kind = LISTENER_DNS, .port = 5353 }, /* another port */
		{ .kind = LISTENER_DNS, .port = 53 },
	};
	assert_true(address_parse(&listeners[0].address, "192.0.2.7"));
	assert_true(address_parse(&listeners[1].address, "192.0.2.7"));
	assert_true(address_parse(&listeners[2].address, "0.0.0.0"));
	struct system_resolvers got;
	assert_int_equal(system_resolvers_read(&got, path, listeners, 3), 0);
	assert_int_equal(got.count, 1);
	assert_string_equal(got.upstreams[0].name, "192.0.2.7");
	assert_int_equal(got.own, 1);
	assert_int_equal(system_resolvers_read(&got, path, listeners, 2), 0);
	assert_int_equal(got.count, 2);
	unlink(path);
	assert_int_equal(system_resolvers_read(&got, path, listeners, 3), -ENOENT);
	assert_int_equal(got.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
