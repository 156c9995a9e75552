/* Every fault has a word of its own, and the word leads back to it: the state file and the child
 * that fetches speak in these words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/lists/list_fault.h"

static void test_words_lead_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIST_FAULT_COUNT; i++) {
		enum list_fault fault = LIST_FAULT_COUNT;
		const char *name = list_fault_name((enum list_fault)i);
		/* As a label of a metric and a word of a line. */
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_true(list_fault_parse(name, &fault));
		assert_int_equal(fault, i);
	}
}

static void test_strangers_are_refused(void **state)
{
	(void)state;
	static const char *const words[] = { "", "shrun", "shrunk ", "SHRUNK", "unknown", "20" };
	enum list_fault fault = LIST_FAULT_GROWN;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_false(list_fault_parse(words[i], &fault));
	assert_int_equal(fault, LIST_FAULT_GROWN);
	assert_string_equal(list_fault_name(LIST_FAULT_COUNT), "unknown");
	assert_string_equal(list_fault_name((enum list_fault) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_lead_back),
		cmocka_unit_test(test_strangers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
