#include "tests/unit/list_fixture.h"

static void test_lines(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "example.com", "both example.com." },
		{ "*.example.com", "both example.com." },
		{ ".example.com", "both example.com." },
		{ "=example.com", "exact example.com." },
		{ "Example.COM.   # inline", "both example.com." },
		{ "b\xc3\xbc"
		  "cher.example",
			"both xn--bcher-kva.example." },
		{ "local", "both local." },
		{ "# comment", "" },
		{ "ads.*", "not-dns <ads.*>" },
		{ "*tracker*", "not-dns <*tracker*>" },
		{ "*example.com", "not-dns <*example.com>" },
		{ "*", "not-dns <*>" },
		{ "ads*.example*", "not-dns <ads*.example*>" },
		{ "ad[0-9].example.com", "not-dns <ad[0-9].example.com>" },
		{ "ad?.example.com", "not-dns <ad?.example.com>" },
		{ "=ad*.example.com", "not-dns <=ad*.example.com>" },
		{ "facebook.example @work", "not-dns <facebook.example @work>" },
		{ "facebook.example@work", "not-dns <facebook.example@work>" },
		{ "192.0.2.1", "address <192.0.2.1>" },
		{ "=192.0.2.1", "address <=192.0.2.1>" },
		{ "=", "not-a-name <=>" },
		{ "==a.example", "not-a-name <==a.example>" },
		{ "..a.example", "not-a-name <..a.example>" },
		{ "*.", "not-a-name <*.>" },
		{ "two words", "not-a-name <two words>" },
	};
	CHECK_ROWS(LIST_DNSCRYPT, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
