/* control_explain_test.c - the verb "explain", over a policy that stands in a text here: requests
 * as strangers may write them, and pages that together are the whole trace. */
#include "proxy/control/control_explain.h"

#include "tests/unit/rules_fixture.h"

#include "proxy/explain/trace_words.h"
#include "proxy/policy_load.h"

#define MANY_RULES 900

struct fixture {
	struct config *config;
	struct lists *lists;
	struct policy *policy;
	struct routes *routes;
	char hash[POLICY_HASH_TEXT_MAX];
};

static char answer_text[CONTROL_ANSWER_MAX + 1];

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	fail_msg("%s:%u: %s: %s", file, line, path, message);
}

/* A group of many rules, so that a trace takes several pages. */
static char *config_text(void)
{
	static char text[256 * 1024];
	struct writer to = writer_of(text, sizeof text - 1);
	writer_text(&to,
		"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = 53; } );\n"
		"upstreams = ( { name = \"u\"; protocol = \"dns\"; address = \"192.0.2.1\"; } );\n"
		"state_directory = \"\";\n"
		"domain_lists = ( { name = \"bad\"; "
		"domains = [ \"bad.test\", \"*.bad.test\" ]; } );\n"
		"rule_groups = ( { name = \"many\"; rules = (\n");
	for (unsigned i = 1; i <= MANY_RULES; i++) {
		writer_text(&to, i > 1 ? ", { name = \"rule-" : "{ name = \"rule-");
		writer_decimal(&to, i);
		writer_text(&to, "\"; priority = ");
		writer_decimal(&to, i);
		writer_text(&to,
			"; action = \"BLOCK\"; block_response = \"NODATA\"; "
			"domain_list = \"bad\"; }\n");
	}
	writer_text(&to,
		"); } );\nviews = ( { name = \"lan\"; clients = [ \"127.0.0.0/8\" ]; "
		"associations = "
		"( { rule_group = \"many\"; priority = 101; } ); } );\n");
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static int set_up(void **state)
{
	static struct fixture fixture;
	struct config_errors errors = { .on_error = on_error };
	const struct lists_options options = { .salt = 1 };
	fixture.config = config_load_text("test.conf", slice_of_text(config_text()), &errors);
	assert_non_null(fixture.config);
	fixture.lists = lists_load(fixture.config, &options, &errors);
	assert_non_null(fixture.lists);
	fixture.policy = policy_load(fixture.config, fixture.lists, fixture.hash, &errors);
	fixture.routes = routes_new(fixture.config, 1);
	assert_non_null(fixture.policy);
	assert_non_null(fixture.routes);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	routes_free(fixture->routes);
	policy_free(fixture->policy);
	lists_unref(fixture->lists);
	config_free(fixture->config);
	return 0;
}

static void tell_world(void *context, struct explain_world *world)
{
	const struct fixture *fixture = context;
	*world = (struct explain_world){ .config = fixture->config,
		.policy = fixture->policy,
		.lists = fixture->lists,
		.routes = fixture->routes,
		.now_s = 1000,
		.policy_hash = fixture->hash,
		.revision = 3 };
}

static const char *run(const struct fixture *fixture, const char *line)
{
	const struct control_source source = {
		.explain_world = fixture ? tell_world : NULL,
		.context = (void *)(uintptr_t)fixture,
	};
	struct control_request request;
	struct writer answer = writer_of(answer_text, CONTROL_ANSWER_MAX);
	assert_true(control_request_read(&request, slice_of_text(line)));
	control_verbs_run(&source, &request, &answer);
	assert_false(answer.failed);
	assert_int_equal(answer.capacity, CONTROL_ANSWER_MAX);
	answer_text[answer.len] = '\0';
	return answer_text;
}

/* Adds the rows of a page; gives where the next one begins. */
static size_t take_page(struct trace *trace, char *page)
{
	size_t next = 0;
	char *line = strtok(page, "\n");
	assert_non_null(strstr(line, " rows, cut 0, revision 3, hash "));
	while ((line = strtok(NULL, "\n")) && strncmp(line, "next ", 5) != 0)
		assert_true(trace_words_read(trace, slice_of_text(line)));
	assert_non_null(line);
	next = strtoul(line + 5, NULL, 10);
	assert_string_equal(strtok(NULL, "\n"), "ok");
	return next;
}

static void pages_are_the_whole_trace(void **state)
{
	struct fixture *fixture = *state;
	struct trace told = { .row_count = 0 };
	unsigned pages = 0;
	size_t from = 0;
	do {
		char line[64];
		snprintf(line, sizeof line, "explain %zu x.bad.test. A now=77", from);
		size_t next = take_page(&told, (char *)(uintptr_t)run(fixture, line));
		assert_true(next == 0 || next > from);
		from = next;
		pages++;
	} while (from > 0);
	assert_true(pages > 1);
	assert_int_equal(trace_count(&told, TRACE_RULE), MANY_RULES);
	const struct trace_policy *policy = trace_row(&told, TRACE_POLICY, 0);
	const struct trace_verdict *verdict = trace_row(&told, TRACE_VERDICT, 0);
	const struct trace_rule *last = trace_row(&told, TRACE_RULE, MANY_RULES - 1);
	assert_int_equal(policy->now_s, 77);
	assert_string_equal(verdict->rule, "rule-1");
	assert_string_equal(last->rule, "rule-900");
	assert_string_equal(last->outcome, "would_match");
	assert_int_equal(trace_count(&told, TRACE_CHANGE), 1); /* an exception */
	trace_deinit(&told);
}

static void what_is_asked_is_judged(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *line;
		const char *verdict; /* its action; NULL: nobody claims the client */
	} rows[] = {
		{ "explain 0 x.bad.test A", "BLOCK" },
		{ "explain 0 ok.test A client=127.1.2.3 listener=dns-53", "ALLOW" },
		{ "explain 0 ok.test A client=192.0.2.1", NULL },
		{ "explain 0 bad.test A client=192.0.2.1 view=lan", "BLOCK" },
		/* ok.test CNAME bad.test */
		{ "explain 0 ok.test A answer=AAGBgAABAAEAAAAAAm9rBHRlc3QAAAEAAcAMAAUAAQAAADwACgNi"
		  "YWQEdGVzdAA",
			"BLOCK" },
		{ "explain 0 ok.test A view=lan path=kids tls_name=a.b certificate=cn:Anna",
			"ALLOW" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct trace told = { .row_count = 0 };
		char line[512];
		size_t next = 0;
		do {
			snprintf(line, sizeof line, "explain %zu%s", next, rows[i].line + 9);
			next = take_page(&told, (char *)(uintptr_t)run(fixture, line));
		} while (next);
		const struct trace_verdict *verdict = trace_row(&told, TRACE_VERDICT, 0);
		assert_true((verdict != NULL) == (rows[i].verdict != NULL));
		if (verdict)
			assert_string_equal(verdict->action, rows[i].verdict);
		trace_deinit(&told);
	}
}

static void what_is_wrong_is_told(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *line;
		const char *error;
	} rows[] = {
		{ "explain", "error: explain takes a number, a name and a type\n" },
		{ "explain a.test A", "error: explain takes a number, a name and a type\n" },
		{ "explain x a.test A", "error: explain takes a number, a name and a type\n" },
		{ "explain 65537 a.test A", "error: explain takes a number, a name and a type\n" },
		{ "explain 0 a..test A", "error: not a domain name\n" },
		{ "explain 0 a.test NOTYPE", "error: not a query type\n" },
		{ "explain 0 a.test A client=1.2.3", "error: not an address\n" },
		{ "explain 0 a.test A client=", "error: not an address\n" },
		{ "explain 0 a.test A view=nobody", "error: there is no view of that name\n" },
		{ "explain 0 a.test A listener=x", "error: there is no listener of that name\n" },
		{ "explain 0 a.test A answer=AAAA", "error: not an answer\n" },
		{ "explain 0 a.test A answer=!", "error: not base64url\n" },
		{ "explain 0 a.test A live=", "error: not an answer\n" },
		{ "explain 0 a.test A token=00", "error: not a SHA-256\n" },
		{ "explain 0 a.test A token=g000000000000000000000000000000000000000000000000000000"
		  "000000000",
			"error: not a SHA-256\n" },
		{ "explain 0 a.test A now=", "error: not a time\n" },
		{ "explain 0 a.test A now=99999999999999999999999", "error: not a time\n" },
		{ "explain 0 a.test A certificate=a certificate=b certificate=c certificate=d "
		  "certificate=e",
			"error: not a name of a certificate, or too many of them\n" },
		{ "explain 0 a.test A path=\\000", "error: not a path\n" },
		{ "explain 0 a.test A because=why",
			"error: explain does not know one of the keys\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(run(fixture, rows[i].line), rows[i].error);
	assert_string_equal(
		run(NULL, "explain 0 a.test A"), "error: nothing is known of a policy\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_the_whole_trace),
		cmocka_unit_test(what_is_asked_is_judged),
		cmocka_unit_test(what_is_wrong_is_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
