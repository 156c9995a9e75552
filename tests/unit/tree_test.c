/* Each text that is kept of the settings in turn finds no memory: the tree is whole or is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/config/tree.h"

static unsigned left;

char *__real_arena_text(struct arena *arena, const char *text);
char *__wrap_arena_text(struct arena *arena, const char *text);

char *__wrap_arena_text(struct arena *arena, const char *text)
{
	return left-- > 0 ? __real_arena_text(arena, text) : NULL;
}

static void hear(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)file, (void)line, (void)path;
	assert_string_equal(message, "out of memory");
	++*(unsigned *)context;
}

/* With memory for so many texts. */
static bool is_read(unsigned texts)
{
	unsigned heard = 0;
	struct config_errors errors = { .on_error = hear, .context = &heard };
	struct syntax_lines lines = { 0 };
	struct arena memory = { 0 };
	struct source source;
	left = 1000;
	source_init(&source, NULL, &memory, &errors);
	source_read_text(&source, "file",
		slice_of_text("a = 1; b = { c = \"x\"; d = ( { e = true; } ); };"));
	assert_true(syntax_check(&source, &lines));
	left = texts;
	const struct setting *root = tree_read(&source, &lines, &memory);
	assert_int_equal(heard, root ? 0 : 1);
	syntax_lines_free(&lines);
	source_deinit(&source);
	arena_free(&memory);
	return root;
}

static void test_no_memory(void **state)
{
	(void)state;
	enum { TEXTS = 6 }; /* five names and a value */
	for (unsigned texts = 0; texts < TEXTS; texts++)
		assert_false(is_read(texts));
	assert_true(is_read(TEXTS));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_memory) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
