#include "dns/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

static void writes_exact_bytes(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_MAX];
	const struct {
		struct dns_request request; /* the name is wWw.example */
		const char *wire;
	} rows[] = {
		{ { .type = 1, .class = 1, .recursion_desired = true },
			"beef 0100 0001 0000 0000 0001 'wWw.example' 0001 0001"
			"00 0029 04d0 00 00 0000 0000" },
		{ { .type = 28, .class = 3 },
			"beef 0000 0001 0000 0000 0001 'wWw.example' 001c 0003"
			"00 0029 04d0 00 00 0000 0000" },
		{ { .type = 65400,
			  .class = 1,
			  .recursion_desired = true,
			  .checking_disabled = true,
			  .dnssec_ok = true,
			  .authentic_wanted = true },
			"beef 0130 0001 0000 0000 0001 'wWw.example' ff78 0001"
			"00 0029 04d0 00 00 8000 0000" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_request request = rows[i].request;
		struct writer to = writer_of(buffer, sizeof buffer);
		request.name = wire("'wWw.example'");
		assert_true(dns_request_write(&to, &request, 0xbeef));
		assert_true(slice_equals(writer_slice(&to), wire(rows[i].wire)));
	}
}

/* c-ares 1.18 cuts the last 11 bytes when an upstream does not know EDNS: those must be the OPT. */
static void opt_is_eleven_bytes_and_last(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_MAX];
	struct writer to = writer_of(buffer, sizeof buffer);
	struct dns_request request = { .name = wire("'a'"), .type = 1, .class = 1 };
	assert_true(dns_request_write(&to, &request, 1));
	assert_true(
		slice_equals(slice_of(buffer + to.len - DNS_REQUEST_OPT_LEN, DNS_REQUEST_OPT_LEN),
			wire("00 0029 04d0 00 00 0000 0000")));
}

static void the_longest_name_fits_exactly(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_MAX];
	struct dns_request request = {
		.name = wire("3f 61*63 3f 62*63 3f 63*63 3d 64*61 00"), .type = 1, .class = 1
	};
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_true(dns_request_write(&to, &request, 1));
	assert_int_equal(to.len, DNS_REQUEST_MAX);
	to = writer_of(buffer, sizeof buffer - 1);
	assert_false(dns_request_write(&to, &request, 1));
}

/* What we ask is a good query to ourselves: two firewalls in a row work. */
static void our_request_is_a_good_query(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_MAX];
	struct writer to = writer_of(buffer, sizeof buffer);
	struct dns_request request = {
		.name = wire("'wWw.example'"), .type = 65, .class = 1, .dnssec_ok = true
	};
	struct dns_query query;
	assert_true(dns_request_write(&to, &request, 77));
	assert_int_equal(dns_query_open(&query, writer_slice(&to)), DNS_QUERY_FINE);
	assert_true(slice_equals(query.name, request.name));
	assert_int_equal(query.id, 77);
	assert_true(query.opt.present && query.opt.dnssec_ok);
	assert_int_equal(query.opt.options.len, 0);
}

/* Of any name: a multiple of 128, one OPT with what was asked for, nothing but zeros as padding,
 * and the same question as in clear text. */
static void padded_hides_the_length(void **state)
{
	(void)state;
	uint8_t name[DNS_NAME_MAX], plain[DNS_REQUEST_MAX], buffer[DNS_REQUEST_PADDED_MAX];
	/* a.a.a...: every odd length of a wire name */
	for (size_t len = 1; len <= sizeof name; len += 2) {
		for (size_t i = 0; i + 1 < len; i += 2) {
			name[i] = 1;
			name[i + 1] = 'a';
		}
		name[len - 1] = 0;
		struct dns_request request = {
			.name = slice_of(name, len), .type = 28, .class = 1, .dnssec_ok = true
		};
		for (unsigned keepalive = 0; keepalive < 2; keepalive++) {
			struct writer to = writer_of(buffer, sizeof buffer);
			assert_true(dns_request_write_padded(&to, &request, 0x1234, keepalive));
			assert_int_equal(to.len % DNS_REQUEST_PADDING, 0);
			assert_true(to.len < DNS_HEADER_LEN + len + 4 + 11 + 8 + 128);
			struct writer clear = writer_of(plain, sizeof plain);
			assert_true(dns_request_write(&clear, &request, 0x1234));
			assert_memory_equal(plain, buffer, clear.len - 2);
			struct dns_query query;
			assert_int_equal(dns_query_open(&query, writer_slice(&to)), DNS_QUERY_FINE);
			assert_true(query.opt.has_padding);
			assert_int_equal(query.opt.has_keepalive, keepalive);
			struct slice options = query.opt.options;
			for (size_t i = keepalive ? 8 : 4; i < options.len; i++)
				assert_int_equal(options.at[i], 0);
		}
	}
}

static void padded_exact_bytes(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_PADDED_MAX];
	struct dns_request request = {
		.name = wire("'wWw.example'"), .type = 1, .class = 1, .recursion_desired = true
	};
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_true(dns_request_write_padded(&to, &request, 0xbeef, true));
	assert_true(slice_equals(writer_slice(&to),
		wire("beef 0100 0001 0000 0000 0001 'wWw.example' 0001 0001"
		     "00 0029 04d0 00 00 0000 0058 000b 0000 000c 0050 00*80")));
	to = writer_of(buffer, 127);
	assert_false(dns_request_write_padded(&to, &request, 0xbeef, true));
}

static void the_longest_padded_name_fits(void **state)
{
	(void)state;
	uint8_t buffer[DNS_REQUEST_PADDED_MAX];
	struct dns_request request = {
		.name = wire("3f 61*63 3f 62*63 3f 63*63 3d 64*61 00"), .type = 1, .class = 1
	};
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_true(dns_request_write_padded(&to, &request, 1, true));
	assert_int_equal(to.len, DNS_REQUEST_PADDED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_exact_bytes),
		cmocka_unit_test(opt_is_eleven_bytes_and_last),
		cmocka_unit_test(the_longest_name_fits_exactly),
		cmocka_unit_test(our_request_is_a_good_query),
		cmocka_unit_test(padded_hides_the_length),
		cmocka_unit_test(padded_exact_bytes),
		cmocka_unit_test(the_longest_padded_name_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
