#include "tests/unit/rules_fixture.h"
#include "tests/unit/wire.h"

#include "rules/addresses.h"

struct told {
	char text[512];
	struct writer to;
	unsigned left; /* stop when it is 0 */
};

static bool on_address(void *context, const struct address *address, const struct dns_name *owner)
{
	struct told *told = context;
	address_write(&told->to, address);
	writer_u8(&told->to, ' ');
	dns_name_write_text(&told->to, dns_name_slice(owner));
	writer_u8(&told->to, '\n');
	return --told->left == 0;
}

static struct told tell(const char *message, unsigned count, bool *stopped)
{
	struct told told = { .left = count };
	struct dns_answer answer;
	told.to = writer_of(told.text, sizeof told.text - 1);
	assert_int_equal(dns_answer_open(&answer, wire(message)), 0);
	*stopped = addresses_each(&answer, on_address, &told);
	assert_false(told.to.failed);
	return told;
}

/* Two of one name, one of another, hints of both kinds, and one beside them. */
#define ANSWER(type)                                                                               \
	"1234 8180 0001 0004 0001 0001 'Www.example' " type " 0001"                                \
	"c00c 0001 0001 0000003c 0004 01020304"                                                    \
	"c00c 001c 0001 0000003c 0010 2001 0db8 00*11 01"                                          \
	"'cdn.net' 0001 0001 0000003c 0004 05060708"                                               \
	"c00c 0041 0001 0000003c 0023 0001 00 0004 0008 09090909 0a0a0a0a 0006 0010 2001 0db8 "    \
	"00*11 02"                                                                                 \
	"c00c 0001 0001 0000003c 0004 0b0b0b0b"                                                    \
	"'svc.net' 0001 0001 0000003c 0004 0c0c0c0c"

#define TOLD                                                                                       \
	"1.2.3.4 Www.example.\n2001:db8::1 Www.example.\n5.6.7.8 cdn.net.\n9.9.9.9 Www.example.\n" \
	"10.10.10.10 Www.example.\n2001:db8::2 Www.example.\n"

static void tells_all(void **state)
{
	(void)state;
	bool stopped;
	struct told told = tell(ANSWER("0001"), 99, &stopped);
	assert_string_equal(told.text, TOLD);
	assert_false(stopped);
	/* Beside a service its target's addresses count. */
	told = tell(ANSWER("0041"), 99, &stopped);
	assert_string_equal(told.text, TOLD "12.12.12.12 svc.net.\n");
	assert_false(stopped);
}

static void stops_when_told(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= 7; count++) {
		bool stopped;
		unsigned lines = 0;
		struct told told = tell(ANSWER("0041"), count, &stopped);
		for (const char *at = told.text; *at; at++)
			lines += *at == '\n';
		assert_true(stopped);
		assert_int_equal(lines, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_all),
		cmocka_unit_test(stops_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
