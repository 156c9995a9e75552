#include "proxy/replay/learn_line.h"

#include "tests/unit/rules_fixture.h"

static uint8_t buffer[LOG_LINE_MESSAGE_MAX];

static bool learn_text(struct learn *learn, const char *rest)
{
	char text[1024];
	struct log_line line;
	snprintf(text, sizeof text, "{\"query_name\":\"Q.test.\",\"query_type\":\"A\"%s}", rest);
	assert_true(log_line_read(&line, slice_of_text(text)));
	return learn_line(learn, &line, buffer);
}

static void a_line_teaches_all_names_that_are_judged(void **state)
{
	static const struct {
		const char *rest;
		const char *names; /* asked with "?" */
	} cases[] = {
		{ "", "?q.test. " },
		{ ",\"answers\":[{\"Type\":\"A\",\"Rdata\":\"192.0.2.1\"}]", "?q.test. " },
		{ ",\"answers\":[{\"Type\":\"CNAME\",\"Rdata\":\"B.test.\"},"
		  "{\"Type\":\"CNAME\",\"Rdata\":\"c.test.\"},"
		  "{\"Type\":\"A\",\"Rdata\":\"192.0.2.1\"}]",
			"?q.test. b.test. c.test. " },
		{ ",\"answers\":[{\"Type\":\"HTTPS\",\"Rdata\":\"1 .\"},"
		  "{\"Type\":\"SVCB\",\"Rdata\":\"1 s.test.\"},"
		  "{\"Type\":\"MX\",\"Rdata\":\"1 m.test.\"},"
		  "{\"Type\":\"CNAME\",\"Rdata\":\"q.TEST.\"}]",
			"?q.test. s.test. " },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct learn *learn = learn_new(NULL, NULL);
		struct learn_list list;
		char text[512];
		struct writer to = writer_of(text, sizeof text - 1);
		assert_true(learn_text(learn, cases[i].rest));
		assert_true(learn_finish(learn, 1, &list));
		for (size_t j = 0; j < list.count; j++) {
			writer_text(&to, list.entries[j].asked ? "?" : "");
			dns_name_write_text(&to, dns_name_slice(&list.entries[j].name));
			writer_u8(&to, ' ');
		}
		text[to.len] = '\0';
		assert_string_equal(text, cases[i].names);
		learn_list_free(&list);
		learn_free(learn);
	}
}

static void what_was_blocked_teaches_nothing(void **state)
{
	struct learn *learn = learn_new(NULL, NULL);
	struct learn_list list;
	(void)state;
	assert_false(learn_text(learn, ",\"firewall_rule_action\":\"BLOCK\""));
	assert_true(learn_text(learn, ",\"firewall_rule_action\":\"ALERT\""));
	assert_true(learn_finish(learn, 1, &list));
	assert_int_equal(list.asked, 1);
	learn_list_free(&list);
	learn_free(learn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_teaches_all_names_that_are_judged),
		cmocka_unit_test(what_was_blocked_teaches_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
