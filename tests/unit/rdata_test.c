#include "dns/rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/wire.h"

/* Every RDATA stands behind a header and the name "target.example" at 12. */
#define BEFORE "00*12 'target.example' "
enum { RDATA_AT = 12 + 16 };

/* The parts put together again, names uncompressed; false when the layout is broken. */
static bool expand(uint16_t type, struct slice message, size_t rdata_len, struct writer *to)
{
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	dns_rdata_walk_begin(&walk, message, type, RDATA_AT, rdata_len);
	while (dns_rdata_next(&walk, &part))
		writer_slice_bytes(to, part.is_name ? dns_name_slice(&part.name) : part.bytes);
	assert_false(dns_rdata_next(&walk, &part)); /* the end stays the end */
	return !walk.message.failed;
}

static void layouts_are_followed(void **state)
{
	(void)state;
	const struct {
		uint16_t type;
		const char *rdata;
		const char *expanded; /* NULL: broken */
	} rows[] = {
		{ DNS_TYPE_A, "c0000201", "c0000201" },
		{ DNS_TYPE_A, "", NULL },
		{ DNS_TYPE_A, "c00002", NULL },
		{ DNS_TYPE_A, "c000020100", NULL },
		{ DNS_TYPE_AAAA, "20010db8 00*11 01", "20010db8 00*11 01" },
		{ DNS_TYPE_AAAA, "20010db8", NULL },
		{ 65400, "c00c c00c", "c00c c00c" }, /* opaque: no pointers there */
		{ DNS_TYPE_TXT, "03 61", "03 61" },
		{ DNS_TYPE_RRSIG, "00*18 c00c", "00*18 c00c" },
		{ DNS_TYPE_NSEC, "c00c 0001 40", "c00c 0001 40" },
		{ DNS_TYPE_CNAME, "c00c", "'target.example'" },
		{ DNS_TYPE_CNAME, "03 \"www\" c013", "'www.example'" },
		{ DNS_TYPE_CNAME, "'a.b'", "'a.b'" },
		{ DNS_TYPE_CNAME, "00", "00" },
		{ DNS_TYPE_CNAME, "", NULL },
		{ DNS_TYPE_CNAME, "c0", NULL },
		{ DNS_TYPE_CNAME, "c00c 00", NULL },  /* bytes behind the name */
		{ DNS_TYPE_CNAME, "'a' 'b'", NULL },  /* two names */
		{ DNS_TYPE_CNAME, "01 61 01", NULL }, /* the name runs over the end */
		{ DNS_TYPE_CNAME, "c01c", NULL },     /* to itself */
		{ DNS_TYPE_CNAME, "01 61 c01c", NULL },
		{ DNS_TYPE_CNAME, "c01e", NULL }, /* forwards */
		{ DNS_TYPE_CNAME, "c004", NULL }, /* into the header */
		{ DNS_TYPE_CNAME, "40 61*64 00", NULL },
		{ DNS_TYPE_DNAME, "c00c", "'target.example'" },
		{ DNS_TYPE_MX, "000a c00c", "000a 'target.example'" },
		{ DNS_TYPE_MX, "000a", NULL },
		{ DNS_TYPE_MX, "00", NULL },
		{ DNS_TYPE_SRV, "0001 0002 0050 c00c", "0001 0002 0050 'target.example'" },
		{ DNS_TYPE_SRV, "0001 0002 00", NULL },
		{ DNS_TYPE_SRV, "0001 0002 0050 c00c 00", NULL },
		{ DNS_TYPE_NAPTR, "0064 0032 01 75 07 \"E2U+sip\" 00 c00c",
			"0064 0032 01 75 07 \"E2U+sip\" 00 'target.example'" },
		{ DNS_TYPE_NAPTR, "0064 0032 01 75 07 \"E2U+sip\"", NULL },
		{ DNS_TYPE_NAPTR, "0064 0032 01 75 ff \"E2U+sip\" 00 c00c", NULL },
		{ DNS_TYPE_NAPTR, "0064 0032", NULL },
		{ DNS_TYPE_SOA, "c00c 01 61 c00c 00*20",
			"'target.example' 'a.target.example' 00*20" },
		{ DNS_TYPE_SOA, "c00c c00c 00*19", NULL },
		{ DNS_TYPE_SOA, "c00c c00c 00*21", NULL },
		{ DNS_TYPE_MINFO, "c00c 00", "'target.example' 00" },
		{ DNS_TYPE_RP, "c00c c00c", "'target.example' 'target.example'" },
		{ DNS_TYPE_PX, "000a c00c 00", "000a 'target.example' 00" },
		{ DNS_TYPE_SIG, "00*18 c00c abcd", "00*18 'target.example' abcd" },
		{ DNS_TYPE_SIG, "00*18 c00c", "00*18 'target.example'" },
		{ DNS_TYPE_SIG, "00*17", NULL },
		{ DNS_TYPE_NXT, "c00c 4000", "'target.example' 4000" },
		{ DNS_TYPE_HTTPS, "0001 00 0001 0003 02 \"h2\"", "0001 00 0001 0003 02 \"h2\"" },
		{ DNS_TYPE_HTTPS, "0000 'a.b'", "0000 'a.b'" },
		{ DNS_TYPE_SVCB, "0000 c00c", "0000 'target.example'" },
		{ DNS_TYPE_SVCB, "0000", NULL },
		{ DNS_TYPE_SVCB, "00", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[256];
		snprintf(notation, sizeof notation, BEFORE "%s", rows[i].rdata);
		struct slice message = wire(notation);
		uint8_t expanded[512];
		struct writer to = writer_of(expanded, sizeof expanded);
		bool good = expand(rows[i].type, message, message.len - RDATA_AT, &to);
		if (good != (rows[i].expanded != NULL))
			fail_msg("type %u: %s", rows[i].type, rows[i].rdata);
		if (good)
			assert_true(slice_equals(writer_slice(&to), wire(rows[i].expanded)));
	}
}

/* The bytes of the next record are none of this one's: a name must not run into them. */
static void parts_end_with_the_rdata(void **state)
{
	(void)state;
	const struct {
		uint16_t type;
		const char *rdata_and_more;
		size_t rdata_len;
	} rows[] = {
		{ DNS_TYPE_CNAME, "01 61 00", 2 },
		{ DNS_TYPE_CNAME, "c00c", 1 },
		{ DNS_TYPE_CNAME, "c00c", 0 },
		{ DNS_TYPE_CNAME, "03 \"www\" 00", 3 },
		{ DNS_TYPE_MX, "000a c00c", 3 },
		{ DNS_TYPE_SOA, "c00c c00c 00*20", 23 },
		{ DNS_TYPE_NAPTR, "0064 0032 01 75 00 00 c00c", 5 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char notation[256];
		uint8_t expanded[512];
		struct writer to = writer_of(expanded, sizeof expanded);
		snprintf(notation, sizeof notation, BEFORE "%s", rows[i].rdata_and_more);
		assert_false(expand(rows[i].type, wire(notation), rows[i].rdata_len, &to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_are_followed),
		cmocka_unit_test(parts_end_with_the_rdata),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
