/* Whatever the number of threads and the packing, a replay says the same, and what a count by hand
 * says. */
#include "proxy/replay/replay_tell.h"

#include "tests/unit/log_files.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/strict_json.h"

enum { LINES = 30000, TEXT_MAX = LINES * 200 };

static struct policy_fixture fixture;
static struct config config;

/* Every third name is one that the policy blocks, every 7th line is none, every 11th was blocked
 * before as well. */
static struct slice make_log(struct replay_counts *counts)
{
	char *text = malloc(TEXT_MAX);
	size_t len = 0;
	assert_non_null(text);
	*counts = (struct replay_counts){ .lines = LINES };
	for (unsigned i = 1; i <= LINES; i++) {
		bool bad = i % 3 == 0;
		bool was_blocked = i % 11 == 0;
		if (i % 7 == 0) {
			counts->bad++;
			len += (size_t)snprintf(text + len, TEXT_MAX - len, "{bad line %u\n", i);
			continue;
		}
		counts->different += bad != was_blocked;
		counts->same += bad == was_blocked;
		counts->answer_unknown += was_blocked && !bad;
		len += (size_t)snprintf(text + len, TEXT_MAX - len,
			"{\"query_name\":\"n%u.%s.test.\",\"query_type\":\"A\","
			"\"srcaddr\":\"10.0.%u.%u\"%s}\n",
			i, bad ? "bad" : "good", i / 256 % 256, i % 256,
			was_blocked ? ",\"firewall_rule_action\":\"BLOCK\"" : "");
	}
	return slice_of(text, len);
}

/* The result as JSON; free() it. */
static char *replay(const struct policy *policy, struct log_file *file, unsigned threads,
	struct replay_counts *counts)
{
	char *text;
	size_t len;
	char *files[] = { file->path };
	const struct replay_options options = {
		.candidate = policy, .candidate_config = &config, .threads = threads, .examples = 5
	};
	struct replay_result *result = replay_run(&options, files, 1);
	assert_non_null(result);
	assert_true(result->is_complete);
	*counts = result->counts;
	char name[] = "log";
	char *names[] = { name };
	const struct replay_told told = { .result = result,
		.files = names,
		.candidate = "new.conf",
		.candidate_hash = "c0ffee",
		.top = 20 };
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	replay_tell_json(to, &told);
	fclose(to);
	assert_true(len > 0 && text[len - 1] == '\n');
	replay_result_free(result);
	return text;
}

static void threads_and_packing_make_no_difference(void **state)
{
	static const char *const rules[] = { "10 BLOCK *.bad.test", NULL };
	static const unsigned threads[] = { 1, 2, 7 };
	struct replay_counts expected, counts;
	char *first = NULL;
	(void)state;
	policy_fixture_init(&fixture, rules);
	const struct policy *policy = policy_fixture_build(&fixture, 1);
	struct slice text = make_log(&expected);
	for (int packing = 0; packing < LOG_PACKINGS; packing++) {
		struct log_file file = log_file_packed((enum log_packing)packing, text);
		for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
			char *told = replay(policy, &file, threads[i], &counts);
			assert_memory_equal(&counts, &expected, sizeof counts);
			if (first)
				assert_string_equal(told, first);
			if (first)
				free(told);
			else
				first = told;
		}
		unlink(file.path);
	}
	if (!json_is_strict(slice_of(first, strlen(first) - 1)))
		fail_msg("not strict JSON: %s", first);
	free(first);
	free((void *)(uintptr_t)text.at);
	policy_fixture_free(&fixture);
}

/* A policy beside itself never differs, not even where answers are unknown. */
static void the_same_beside_itself(void **state)
{
	static const char *const rules[] = { "10 BLOCK *.bad.test", "20 ALERT n1.*", NULL };
	struct replay_counts expected;
	(void)state;
	policy_fixture_init(&fixture, rules);
	fixture.texts[1].text = slice_of_text("n10.good.test");
	const struct policy *policy = policy_fixture_build(&fixture, 1);
	struct slice text = make_log(&expected);
	struct log_file file = log_file_new(text);
	char *files[] = { file.path };
	const struct replay_options options = { .candidate = policy,
		.candidate_config = &config,
		.current = policy,
		.current_config = &config,
		.threads = 2,
		.examples = 0 };
	struct replay_result *result = replay_run(&options, files, 1);
	assert_non_null(result);
	assert_int_equal(result->counts.same, expected.same + expected.different);
	assert_int_equal(result->counts.different, 0);
	assert_int_equal(result->counts.moved, 0);
	replay_result_free(result);
	unlink(file.path);
	free((void *)(uintptr_t)text.at);
	policy_fixture_free(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_and_packing_make_no_difference),
		cmocka_unit_test(the_same_beside_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
