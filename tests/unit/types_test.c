#include "dns/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const uint16_t numbers[] = {
#define DNS_TYPE(name, number, kind) number,
#include "dns/types.def"
#undef DNS_TYPE
};

/* The search halves the table, so a new row in the wrong place would hide others. */
static void rows_ascend(void **state)
{
	(void)state;
	for (size_t i = 1; i < sizeof numbers / sizeof *numbers; i++)
		assert_true(numbers[i - 1] < numbers[i]);
}

static void every_row_is_found_by_number_and_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const char *name = dns_type_name(numbers[i]);
		uint16_t type;
		assert_non_null(name);
		assert_true(dns_type_parse(slice_of_text(name), &type));
		assert_int_equal(type, numbers[i]);
	}
}

static void writes_what_it_parses(void **state)
{
	(void)state;
	for (unsigned number = 0; number <= UINT16_MAX; number++) {
		char text[16];
		uint16_t type = (uint16_t)~number;
		struct writer to = writer_of(text, sizeof text);
		dns_type_write(&to, (uint16_t)number);
		assert_true(dns_type_parse(writer_slice(&to), &type));
		assert_int_equal(type, number);
	}
}

static void parses_types(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int type; /* -1: none */
	} rows[] = {
		{ "A", 1 },
		{ "aaaa", 28 },
		{ "Https", 65 },
		{ "ANY", 255 },
		{ "TYPE1", 1 },
		{ "type65400", 65400 },
		{ "TYPE0", 0 },
		{ "TYPE65535", 65535 },
		{ "TYPE65536", -1 },
		{ "TYPE4294967297", -1 },
		{ "TYPE", -1 },
		{ "TYPE-1", -1 },
		{ "TYPE 1", -1 },
		{ "TYPE1x", -1 },
		{ "", -1 },
		{ "AA", -1 },
		{ "AAAAA", -1 },
		{ "28", -1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint16_t type = 0;
		assert_int_equal(
			dns_type_parse(slice_of_text(rows[i].text), &type), rows[i].type >= 0);
		if (rows[i].type >= 0)
			assert_int_equal(type, rows[i].type);
	}
	uint16_t type;
	assert_false(dns_type_parse(slice_of(NULL, 0), &type));
	assert_false(dns_type_parse(slice_of("A\0", 2), &type));
}

static void names_what_it_knows(void **state)
{
	(void)state;
	assert_string_equal(dns_rcode_name(0), "NOERROR");
	assert_string_equal(dns_rcode_name(3), "NXDOMAIN");
	assert_string_equal(dns_rcode_name(16), "BADVERS");
	assert_null(dns_rcode_name(15));
	assert_string_equal(dns_class_name(1), "IN");
	assert_string_equal(dns_class_name(254), "NONE");
	assert_null(dns_class_name(0));
	assert_null(dns_type_name(65400));
}

/* RFC 3597 section 4: exactly these may have compressed names on the wire; SVCB and HTTPS are
 * opened on purpose, see types.def; A and AAAA for their length. */
static void only_old_types_are_opened(void **state)
{
	(void)state;
	static const uint16_t opened[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24,
		26, 28, 30, 33, 35, 36, 39, 64, 65 };
	size_t next = 0;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		bool is_opened = next < sizeof opened / sizeof *opened && opened[next] == type;
		assert_int_equal(dns_rdata_kind((uint16_t)type) != DNS_RDATA_OPAQUE, is_opened);
		next += is_opened;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_ascend),
		cmocka_unit_test(every_row_is_found_by_number_and_by_name),
		cmocka_unit_test(writes_what_it_parses),
		cmocka_unit_test(parses_types),
		cmocka_unit_test(names_what_it_knows),
		cmocka_unit_test(only_old_types_are_opened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
