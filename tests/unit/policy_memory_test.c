/* policy_memory_test.c - building a policy while the n-th allocation fails, for every n: an error,
 * never half a policy, and nothing is lost (the leak sanitizer looks). Linked with --wrap. */
#include "tests/unit/policy_fixture.h"

static unsigned allowed = UINT32_MAX; /* allocations until one fails */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static bool fails(void)
{
	if (allowed == UINT32_MAX)
		return false;
	if (allowed > 0)
		allowed--;
	return allowed == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return fails() ? NULL : __real_realloc(at, size);
}

/* From the n-th allocation on, all fail. */
static void test_every_allocation_can_fail(void **state)
{
	(void)state;
	static const char *const rules[] = { "10 ALLOW a.test,*.a.test", "102/20 BLOCK *,b.test",
		NULL };
	static char many[2000 * 8];
	struct policy_fixture fixture;
	struct local_record_spec record = { fixture_name("b.home"), DNS_TYPE_A, 60,
		slice_of_text("b1") };
	const struct dns_name exception = fixture_name("corp.test");
	policy_fixture_init(&fixture, rules);
	fixture.spec.rebinding_exceptions = &exception;
	fixture.spec.rebinding_exception_count = 1;
	/* Enough names for the arrays to grow. */
	size_t len = 0;
	for (unsigned i = 0; i < 2000; i++)
		len += (size_t)sprintf(many + len, "n%u\n", i);
	fixture.texts[1].text = slice_of(many, len);
	fixture.spec.local_records = &record;
	fixture.spec.local_record_count = 1;
	static const struct token_spec token = { .name = "anna" };
	static const uint16_t tokens[] = { 0 };
	static const char *const paths[] = { "kids" };
	fixture.spec.tokens = &token;
	fixture.spec.token_count = 1;
	fixture.view.tokens = tokens;
	fixture.view.token_count = 1;
	fixture.view.paths = paths;
	fixture.view.path_count = 1;
	struct policy_texts built = { .policy = NULL };
	unsigned failures = 0;
	for (; !built.policy; failures++) {
		allowed = failures + 1;
		int error = policy_texts_build(&built, &fixture.spec, fixture.texts, 1);
		allowed = UINT32_MAX;
		assert_int_equal(error, built.policy ? 0 : ERR_NO_MEMORY);
	}
	print_message("%u allocations\n", failures - 1);
	assert_in_range(failures, 10, 200);
	struct verdict verdict = fixture_judge(built.policy, "n1999", DNS_TYPE_A, NULL, NULL);
	assert_int_equal(verdict.action, ACTION_BLOCK);
	policy_texts_free(&built);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_can_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
