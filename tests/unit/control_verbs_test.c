#include "proxy/control/control_verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "dns/name.h"
#include "proxy/shadow/shadow.h"

/* A cache that remembers what it was told to forget. */
static char flushed[DNS_NAME_TEXT_MAX + 16];
static size_t entries;

static size_t flush(void *context, struct slice name, bool below)
{
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(context, "context");
	assert_int_equal(dns_name_check(name), name.len);
	snprintf(flushed, sizeof flushed, "%s%s", dns_name_text(name, text), below ? " below" : "");
	return entries;
}

static const char *run(const struct control_source *source, const char *line, size_t capacity)
{
	static char text[CONTROL_ANSWER_MAX + 1];
	struct control_request request;
	struct writer answer = writer_of(text, capacity);
	assert_true(control_request_read(&request, slice_of_text(line)));
	control_verbs_run(source, &request, &answer);
	assert_false(answer.failed);
	assert_int_equal(answer.capacity, capacity);
	text[answer.len] = '\0';
	return text;
}

static void verbs_do_what_they_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *flushed;
		size_t entries;
		const char *answer;
	} rows[] = {
		{ "flush name www.Example.", "www.example.", 1, "1 entry flushed\nok\n" },
		{ "flush name www.example", "www.example.", 0, "0 entries flushed\nok\n" },
		{ "flush below example.", "example. below", 12, "12 entries flushed\nok\n" },
		{ "flush name \\065\\032b.", "a\\032b.", 2, "2 entries flushed\nok\n" },
		{ "flush name .", ".", 2, "2 entries flushed\nok\n" },
		{ "flush below .", ". below", 2, "2 entries flushed\nok\n" },
		{ "flush all", ". below", 3, "3 entries flushed\nok\n" },
		{ "flush", "", 0, "error: flush takes \"name NAME\", \"below NAME\" or \"all\"\n" },
		{ "flush www.example", "", 0,
			"error: flush takes \"name NAME\", \"below NAME\" or \"all\"\n" },
		{ "flush name", "", 0, "error: flush takes one name, or \"all\" without one\n" },
		{ "flush name a b", "", 0,
			"error: flush takes one name, or \"all\" without one\n" },
		{ "flush all a", "", 0, "error: flush takes one name, or \"all\" without one\n" },
		{ "flush name a..b", "", 0, "error: not a domain name\n" },
		{ "flush name \\", "", 0, "error: not a domain name\n" },
		{ "FLUSH all", "", 0, "error: unknown verb\n" },
		{ "flushall", "", 0, "error: unknown verb\n" },
	};
	const struct control_source source = { .flush = flush,
		.context = (void *)(uintptr_t) "context" };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		flushed[0] = '\0';
		entries = rows[i].entries;
		const char *answer = run(&source, rows[i].line, CONTROL_ANSWER_MAX);
		if (strcmp(answer, rows[i].answer) != 0 || strcmp(flushed, rows[i].flushed) != 0)
			fail_msg("%s: \"%s\" flushed, says %s", rows[i].line, flushed, answer);
	}
}

static void without_a_cache_there_is_nothing_to_flush(void **state)
{
	(void)state;
	const struct control_source source = { .flush = NULL };
	assert_string_equal(
		run(&source, "flush all", CONTROL_ANSWER_MAX), "error: there is no cache\n");
}

/* ---- lists ---- */

static size_t list_count;
static char ordered[300]; /* what was asked for */
static int order_result;

static size_t count_lists(void *context)
{
	assert_string_equal(context, "context");
	return list_count;
}

static void tell_list(void *context, size_t number, struct list_status *status)
{
	static char name[64];
	assert_string_equal(context, "context");
	assert_true(number < list_count);
	snprintf(name, sizeof name, "list %zu", number);
	*status = (struct list_status){ .name = name, .origin = "inline", .entry_count = number };
}

static int64_t tell_now(void *context)
{
	assert_string_equal(context, "context");
	return 1800000000;
}

static int refresh(void *context, const char *name)
{
	assert_string_equal(context, "context");
	snprintf(ordered, sizeof ordered, "refresh %s", name ? name : "(all)");
	return order_result;
}

static int accept_list(void *context, const char *name)
{
	assert_string_equal(context, "context");
	snprintf(ordered, sizeof ordered, "accept %s", name);
	return order_result;
}

static struct control_source with_lists(size_t count)
{
	list_count = count;
	return (struct control_source){ .list_count = count_lists,
		.list_status = tell_list,
		.now_s = tell_now,
		.list_refresh = refresh,
		.list_accept = accept_list,
		.context = (void *)(uintptr_t) "context" };
}

static void lists_are_told(void **state)
{
	(void)state;
	struct control_source source = with_lists(2);
	assert_string_equal(run(&source, "lists json 0", CONTROL_ANSWER_MAX),
		"2 lists\n"
		"{\"name\":\"list 0\",\"state\":\"good\",\"origin\":\"inline\",\"entries\":0,"
		"\"covered\":0,\"rejected\":{},\"bytes\":0}\n"
		"{\"name\":\"list 1\",\"state\":\"good\",\"origin\":\"inline\",\"entries\":1,"
		"\"covered\":0,\"rejected\":{},\"bytes\":0}\n"
		"next 0\nok\n");
	assert_string_equal(run(&source, "lists text 1", CONTROL_ANSWER_MAX),
		"2 lists\n"
		"list 1  good         1         0  never    never    -     -       inline\n"
		"next 0\nok\n");
	assert_string_equal(
		run(&source, "lists json 7", CONTROL_ANSWER_MAX), "2 lists\nnext 0\nok\n");
	source = with_lists(0);
	assert_string_equal(
		run(&source, "lists text 0", CONTROL_ANSWER_MAX), "0 lists\nnext 0\nok\n");
}

/* Page after page gives every list once, however small the room. */
static void many_lists_are_told_in_pages(void **state)
{
	(void)state;
	static const size_t capacities[] = { 300, 1000, CONTROL_ANSWER_MAX };
	static const char *const kinds[] = { "text", "json" };
	struct control_source source = with_lists(1024);
	for (size_t i = 0; i < 6; i++) {
		size_t seen = 0, from = 0, pages = 0;
		do {
			char line[64];
			snprintf(line, sizeof line, "lists %s %zu", kinds[i % 2], from);
			const char *answer = run(&source, line, capacities[i / 2]);
			size_t lines = 0;
			for (const char *at = answer; (at = strchr(at, '\n')); at++)
				lines++;
			const char *next = strstr(answer, "\nnext ");
			assert_non_null(next);
			seen += lines - 3 - (from == 0 && i % 2 == 0);
			from = strtoul(next + 6, NULL, 10);
			pages++;
		} while (from > 0);
		assert_int_equal(seen, 1024);
		assert_true(pages > 1 || capacities[i / 2] == CONTROL_ANSWER_MAX);
	}
}

static void lists_are_refreshed_and_accepted(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int result;
		const char *ordered;
		const char *answer;
	} rows[] = {
		{ "lists refresh", 0, "refresh (all)",
			"begun; \"namegate lists\" tells what becomes of it\nok\n" },
		{ "lists refresh ads\\032and\\032such", 0, "refresh ads and such",
			"begun; \"namegate lists\" tells what becomes of it\nok\n" },
		{ "lists refresh no", -ENOENT, "refresh no",
			"error: there is no list of that name\n" },
		{ "lists refresh ours", ERR_INVALID, "refresh ours",
			"error: the list has no source of its own that could be asked\n" },
		{ "lists refresh", ERR_INVALID, "refresh (all)",
			"error: no list has a source that could be asked\n" },
		{ "lists refresh a", ERR_BUSY, "refresh a", "error: an attempt is under way\n" },
		{ "lists refresh a b", 0, "", "error: lists refresh takes one name, or none\n" },
		{ "lists refresh \\000", 0, "", "error: not the name of a list\n" },
		{ "lists accept a", 0, "accept a",
			"accepted; \"namegate lists\" tells when it is in force\nok\n" },
		{ "lists accept a", ERR_INVALID, "accept a",
			"error: nothing of that list is in quarantine\n" },
		{ "lists accept a", -ENOENT, "accept a", "error: there is no list of that name\n" },
		{ "lists accept a", ERR_NO_MEMORY, "accept a", NULL },
		{ "lists accept", 0, "", "error: lists accept takes one name\n" },
		{ "lists accept a b", 0, "", "error: lists accept takes one name\n" },
		{ "lists accept \\25", 0, "", "error: not the name of a list\n" },
		{ "lists", 0, "",
			"error: lists takes \"text\", \"json\", \"refresh\" or \"accept\"\n" },
		{ "lists TEXT 0", 0, "",
			"error: lists takes \"text\", \"json\", \"refresh\" or \"accept\"\n" },
		{ "lists text", 0, "", "error: lists text and lists json take a number\n" },
		{ "lists json -1", 0, "", "error: lists text and lists json take a number\n" },
		{ "lists json 1000000", 0, "", "error: lists text and lists json take a number\n" },
	};
	struct control_source source = with_lists(1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ordered[0] = '\0';
		order_result = rows[i].result;
		const char *answer = run(&source, rows[i].line, CONTROL_ANSWER_MAX);
		assert_string_equal(ordered, rows[i].ordered);
		if (rows[i].answer)
			assert_string_equal(answer, rows[i].answer);
		else
			assert_memory_equal(answer, "error: ", 7);
	}
}

static void without_a_keeper_nothing_is_refreshed(void **state)
{
	(void)state;
	const struct control_source source = { .flush = NULL };
	assert_string_equal(run(&source, "lists refresh", CONTROL_ANSWER_MAX),
		"error: no list has a source that could be asked\n");
	assert_string_equal(run(&source, "lists accept a", CONTROL_ANSWER_MAX),
		"error: nothing of that list is in quarantine\n");
	assert_string_equal(run(&source, "lists json 0", CONTROL_ANSWER_MAX),
		"error: nothing is known of lists\n");
}

/* ---- the shadow ---- */

static const char *start_shadow(void *context, const struct shadow_order *order)
{
	assert_string_equal(context, "context");
	int len = snprintf(ordered, sizeof ordered, "start %s %u", order->file, order->share);
	for (size_t i = 0; i < order->view_count; i++)
		len += snprintf(
			ordered + len, sizeof ordered - (size_t)len, " [%s]", order->views[i]);
	return NULL;
}

static const char *stop_shadow(void *context)
{
	assert_string_equal(context, "context");
	snprintf(ordered, sizeof ordered, "stop");
	return NULL;
}

static const char *promote_shadow(void *context)
{
	assert_string_equal(context, "context");
	snprintf(ordered, sizeof ordered, "promote");
	return "not today";
}

static void tell_shadow(void *context, enum control_telling how, struct writer *answer)
{
	assert_string_equal(context, "context");
	snprintf(ordered, sizeof ordered, "tell %d", (int)how);
	writer_text(answer, "off\n");
}

static void the_shadow_obeys(void **state)
{
	static const char usage[] =
		"error: shadow start takes a file, a share of 1 to 100, and views\n";
	static const struct {
		const char *line, *ordered, *answer;
	} rows[] = {
		{ "shadow start /a/b.conf 100", "start /a/b.conf 100",
			"begun; \"namegate shadow status\" tells how it stands\nok\n" },
		{ "shadow start /a\\032b 1 lan g\\195\\164ste", "start /a b 1 [lan] [g\xc3\xa4ste]",
			"begun; \"namegate shadow status\" tells how it stands\nok\n" },
		{ "shadow start /a 0", "", usage },
		{ "shadow start /a 101", "", usage },
		{ "shadow start /a -1", "", usage },
		{ "shadow start /a", "", usage },
		{ "shadow start a 1", "", "error: the file must be absolute\n" },
		{ "shadow start /a\\000 1", "", "error: not the name of a file or a view\n" },
		{ "shadow start /a 1 \\9", "", "error: not the name of a file or a view\n" },
		{ "shadow stop", "stop", "ok\n" },
		{ "shadow stop it", "", "error: shadow stop takes nothing else\n" },
		{ "shadow promote", "promote", "error: not today\n" },
		{ "shadow promote it", "", "error: shadow promote takes nothing else\n" },
		{ "shadow state", "tell 0", "off\nok\n" },
		{ "shadow text", "tell 1", "off\nok\n" },
		{ "shadow json", "tell 2", "off\nok\n" },
		{ "shadow", "", NULL },
		{ "shadow begin", "", NULL },
	};
	const struct control_source source = { .shadow_start = start_shadow,
		.shadow_stop = stop_shadow,
		.shadow_promote = promote_shadow,
		.shadow_tell = tell_shadow,
		.context = (void *)(uintptr_t) "context" };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ordered[0] = '\0';
		const char *answer = run(&source, rows[i].line, CONTROL_ANSWER_MAX);
		if (strcmp(ordered, rows[i].ordered) != 0)
			fail_msg("%s: %s", rows[i].line, ordered);
		if (rows[i].answer)
			assert_string_equal(answer, rows[i].answer);
		else
			assert_memory_equal(answer, "error: ", 7);
	}
	const struct control_source nothing = { .flush = NULL };
	assert_string_equal(run(&nothing, "shadow stop", CONTROL_ANSWER_MAX),
		"error: nothing can be judged beside\n");
}

/* What does not fit is not told in part. */
static void a_long_answer_is_an_error(void **state)
{
	(void)state;
	const struct control_source source = { .flush = flush,
		.context = (void *)(uintptr_t) "context" };
	static const char fits[] = "100000000000 entries flushed\nok\n";
	entries = 100000000000;
	assert_string_equal(run(&source, "flush all", 40), fits);
	assert_string_equal(run(&source, "flush all", sizeof fits - 1), fits);
	assert_string_equal(
		run(&source, "flush all", sizeof fits - 2), "error: the answer is too long\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_do_what_they_are_told),
		cmocka_unit_test(without_a_cache_there_is_nothing_to_flush),
		cmocka_unit_test(lists_are_told),
		cmocka_unit_test(many_lists_are_told_in_pages),
		cmocka_unit_test(lists_are_refreshed_and_accepted),
		cmocka_unit_test(without_a_keeper_nothing_is_refreshed),
		cmocka_unit_test(the_shadow_obeys),
		cmocka_unit_test(a_long_answer_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
