#include "proxy/exceptions/exceptions_text.h"

#include "tests/unit/rules_fixture.h"

static struct exception exception_of(uint32_t id, const char *name, enum pattern_kind kind)
{
	struct exception exception = { .id = id,
		.action = id % 2 ? ACTION_ALLOW : ACTION_BLOCK,
		.kind = kind,
		.name = fixture_name(name),
		.made_s = 1772600767 + id,
		.until_s = 1772604367 + id,
		.because = "ticket 12: \"B\xc3\xbc"
			   "cher\" \\ 100%",
		.by = "anna" };
	strcpy(exception.view, id % 3 ? "" : "l\xc3\xa4n \\ 1");
	return exception;
}

static void check_same(const struct exception *a, const struct exception *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->action, b->action);
	assert_int_equal(a->kind, b->kind);
	assert_true(slice_equals(dns_name_slice(&a->name), dns_name_slice(&b->name)));
	assert_string_equal(a->view, b->view);
	assert_int_equal(a->made_s, b->made_s);
	assert_int_equal(a->until_s, b->until_s);
	assert_string_equal(a->because, b->because);
	assert_string_equal(a->by, b->by);
}

static struct exceptions_kept *read_text(struct slice text, bool expected)
{
	struct exceptions_kept *kept = malloc(sizeof *kept);
	uint8_t *copy = malloc(text.len ? text.len : 1);
	assert_true(kept && copy);
	memcpy(copy, text.at, text.len);
	assert_int_equal(exceptions_text_read(kept, slice_of(copy, text.len)), expected);
	free(copy);
	return kept;
}

static void what_is_written_is_read(void **state)
{
	static const char *const names[] = { "a.test", ".", "\\000\\032\\\\.\\255.test", "*.x" };
	struct exception *at = calloc(EXCEPTIONS_MAX, sizeof *at);
	struct bytes text;
	(void)state;
	assert_non_null(at);
	for (uint32_t i = 0; i < EXCEPTIONS_MAX; i++)
		at[i] = exception_of(i + 1, names[i % 4], (enum pattern_kind)(1 + i % 3));
	for (size_t count = 0; count <= EXCEPTIONS_MAX; count += 64) {
		bytes_init(&text, EXCEPTIONS_TEXT_MAX);
		assert_true(exceptions_text_write(&text, at, count, 1000));
		struct exceptions_kept *kept = read_text(bytes_peek(&text), true);
		assert_int_equal(kept->count, count);
		assert_int_equal(kept->left_out, 0);
		assert_int_equal(kept->next_id, 1000);
		for (size_t i = 0; i < count; i++)
			check_same(&kept->at[i], &at[i]);
		free(kept);
		bytes_deinit(&text);
	}
	free(at);
}

#define BLOCK(id, more)                                                                            \
	"exception " id "\naction ALLOW\nkind both\nname a.test.\nmade 1\nuntil 2\n"               \
	"because why\nby anna\n" more
#define HEAD "namegate-exceptions 1\n"

/* A block that is not understood is left out; the others are taken up. */
static void every_block_stands_for_itself(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		size_t count, left_out;
		uint32_t next_id;
	} rows[] = {
		{ HEAD "next 7\n" BLOCK("1", "") "end\n", true, 1, 0, 7 },
		{ HEAD BLOCK("5", "") BLOCK("6", "") "end\n", true, 2, 0, 7 },
		{ HEAD "next 2\n" BLOCK("5", "") "end\n", true, 1, 0, 6 },
		{ HEAD BLOCK("5", "mood good\n") "end\n", true, 1, 0, 6 }, /* of a later version */
		{ HEAD "end\n", true, 0, 0, 1 },
		{ HEAD BLOCK("5", "") BLOCK("5", "") "end\n", true, 1, 1, 6 },
		{ HEAD BLOCK("0", "") BLOCK("6", "") "end\n", true, 1, 1, 7 },
		{ HEAD BLOCK("-1", "") "end\n", true, 0, 1, 1 },
		{ HEAD BLOCK("4294967295", "") "end\n", true, 0, 1, 1 },
		{ HEAD BLOCK("5", "action MONITOR\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "action allow\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "kind none\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "name a..test.\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "until x\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "until 9999999999999999999\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "because a\x1b[0m\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "because   \n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "because \xff\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "by\n") "end\n", true, 0, 1, 6 },
		{ HEAD BLOCK("5", "view\n") "end\n", true, 0, 1, 6 },
		{ HEAD "exception 5\nend\n", true, 0, 1, 6 },
		{ HEAD "nonsense\n" BLOCK("5", "") "end\n", true, 1, 0, 6 },
		/* Cut off: the last one may be. */
		{ HEAD BLOCK("5", "") BLOCK("6", ""), false, 1, 1, 7 },
		{ HEAD, false, 0, 0, 1 },
		{ HEAD BLOCK("5", "") "end", false, 0, 1, 6 },
		{ "namegate-exceptions 2\n" BLOCK("5", "") "end\n", false, 0, 0, 1 },
		{ "", false, 0, 0, 1 },
		{ "\n", false, 0, 0, 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exceptions_kept *kept =
			read_text(slice_of_text(rows[i].text), rows[i].whole);
		if (kept->count != rows[i].count || kept->left_out != rows[i].left_out ||
			kept->next_id != rows[i].next_id)
			fail_msg("row %zu: %zu read, %zu left out, next %u", i, kept->count,
				kept->left_out, kept->next_id);
		free(kept);
	}
}

static void too_many_are_left_out(void **state)
{
	char *text = malloc(1 << 17);
	(void)state;
	assert_non_null(text);
	size_t len = (size_t)sprintf(text, HEAD);
	for (unsigned i = 1; i <= EXCEPTIONS_MAX + 3; i++)
		len += (size_t)sprintf(text + len,
			"exception %u\naction BLOCK\nkind exact\nname a.test.\nuntil 2\n"
			"because why\nby anna\n",
			i);
	len += (size_t)sprintf(text + len, "end\n");
	struct exceptions_kept *kept = read_text(slice_of(text, len), true);
	assert_int_equal(kept->count, EXCEPTIONS_MAX);
	assert_int_equal(kept->left_out, 3);
	assert_int_equal(kept->next_id, EXCEPTIONS_MAX + 4);
	free(kept);
	free(text);
}

/* Every beginning, and every byte another one: read in part or not, and nothing worse. */
static void any_damage_is_survived(void **state)
{
	char text[] = HEAD "next 9\n" BLOCK("5", "view lan\n") "end\n";
	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++)
		free(read_text(slice_of(text, len), false));
	struct exceptions_kept *kept = malloc(sizeof *kept);
	assert_non_null(kept);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		char before = text[i];
		for (unsigned byte = 0; byte < 256; byte++) {
			text[i] = (char)byte;
			exceptions_text_read(kept, slice_of(text, sizeof text - 1));
			assert_true(kept->count <= 1 && kept->next_id >= 1);
		}
		text[i] = before;
	}
	free(kept);
}

static void reasons(void **state)
{
	char most[EXCEPTION_BECAUSE_MAX + 1];
	(void)state;
	memset(most, 'x', sizeof most);
	most[EXCEPTION_BECAUSE_MAX] = '\0';
	assert_false(exceptions_text_is_reason(most));
	most[EXCEPTION_BECAUSE_MAX - 1] = '\0';
	assert_true(exceptions_text_is_reason(most));
	assert_true(exceptions_text_is_reason("a"));
	assert_true(exceptions_text_is_reason("\xc3\xbc \xf0\x9f\x98\x80"));
	assert_false(exceptions_text_is_reason(""));
	assert_false(exceptions_text_is_reason("  "));
	assert_false(exceptions_text_is_reason("a\nb"));
	assert_false(exceptions_text_is_reason("a\x7f"));
	assert_false(exceptions_text_is_reason("\xc3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_block_stands_for_itself),
		cmocka_unit_test(too_many_are_left_out),
		cmocka_unit_test(any_damage_is_survived),
		cmocka_unit_test(reasons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
