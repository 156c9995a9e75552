/* Answers of our own: which records, how far CNAMEs are followed, what is never asked elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/policy_load.h"
#include "proxy/query/local.h"

static const char head[] =
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; port = 5353; } );\n"
	"views = ( { name = \"v\"; clients = [ \"127.0.0.0/8\" ]; } );\n"
	"local_data = (\n"
	"  { name = \"nas.home.arpa\"; type = \"A\"; value = \"192.0.2.7\"; },\n"
	"  { name = \"nas.home.arpa\"; type = \"A\"; value = \"192.0.2.8\"; },\n"
	"  { name = \"nas.home.arpa\"; type = \"AAAA\"; value = \"2001:db8::7\"; },\n"
	"  { name = \"alias.test\"; type = \"CNAME\"; value = \"NAS.home.arpa\"; },\n"
	"  { name = \"two.test\"; type = \"CNAME\"; value = \"alias.test\"; },\n"
	"  { name = \"out.test\"; type = \"CNAME\"; value = \"Elsewhere.example\"; },\n"
	"  { name = \"two-out.test\"; type = \"CNAME\"; value = \"out.test\"; }";

static struct config *config;
static struct policy *policy;
static struct lists *lists;

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	fail_msg("%s:%u: %s: %s", file, line, path, message);
}

/* A chain c0 -> c1 -> ... -> c19 -> nas, and 200 addresses of one name. */
static int begin(void **state)
{
	static char text[65536];
	char hash[33];
	(void)state;
	size_t len = (size_t)snprintf(text, sizeof text, "%s", head);
	for (unsigned i = 0; i < 20; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			",\n{ name = \"c%u.test\"; type = \"CNAME\"; value = \"c%u.test\"; }", i,
			i + 1);
	for (unsigned i = 0; i < 200; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			",\n{ name = \"many.test\"; type = \"AAAA\"; value = \"2001:db8::%x\"; }",
			i + 1);
	snprintf(text + len, sizeof text - len, " );\n");
	struct config_errors errors = { .on_error = on_error };
	config = config_load_text("x.conf", slice_of_text(text), &errors);
	assert_non_null(config);
	lists = lists_load(config, &(struct lists_options){ .must_load = true }, &errors);
	assert_non_null(lists);
	policy = policy_load(config, lists, hash, &errors);
	assert_non_null(policy);
	return 0;
}

static int end(void **state)
{
	(void)state;
	policy_free(policy);
	lists_unref(lists);
	config_free(config);
	return 0;
}

struct row {
	const char *name;
	uint16_t type;
	bool ours;
	unsigned answers;
	unsigned authority;
	const char *chase; /* NULL: none */
};

static const struct row rows[] = {
	{ "nas.home.arpa", DNS_TYPE_A, true, 2, 0, NULL },
	{ "NAS.Home.ARPA", DNS_TYPE_AAAA, true, 1, 0, NULL },
	{ "nas.home.arpa", DNS_TYPE_TXT, true, 0, 1, NULL },
	{ "nas.home.arpa", DNS_TYPE_ANY, true, 3, 0, NULL },
	{ "x.nas.home.arpa", DNS_TYPE_A, false, 0, 0, NULL },
	{ "home.arpa", DNS_TYPE_A, false, 0, 0, NULL },
	{ "alias.test", DNS_TYPE_A, true, 3, 0, NULL },
	{ "alias.test", DNS_TYPE_CNAME, true, 1, 0, NULL },
	{ "alias.test", DNS_TYPE_TXT, true, 1, 0, NULL },
	{ "two.test", DNS_TYPE_AAAA, true, 3, 0, NULL },
	{ "out.test", DNS_TYPE_A, true, 1, 0, "elsewhere.example" },
	{ "out.test", DNS_TYPE_CNAME, true, 1, 0, NULL },
	{ "two-out.test", DNS_TYPE_A, true, 2, 0, "elsewhere.example" },
	/* RFC 9462: not even names that nobody ever wrote down. */
	{ "_dns.resolver.arpa", DNS_TYPE_SVCB, true, 0, 1, NULL },
	{ "resolver.arpa", DNS_TYPE_A, true, 0, 1, NULL },
	{ "x.y.Resolver.Arpa", DNS_TYPE_A, true, 0, 1, NULL },
	{ "notresolver.arpa", DNS_TYPE_A, false, 0, 0, NULL },
	{ "resolver.arpa.test", DNS_TYPE_A, false, 0, 0, NULL },
	{ ".", DNS_TYPE_A, false, 0, 0, NULL },
};

static bool special_names[SPECIAL_NAMES];
static bool is_routed;

static bool ask(const char *text, uint16_t type, struct local_answer *local,
	struct dns_answer *answer, void *buffer, size_t size)
{
	struct dns_name name, lower;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	lower.len = name.len;
	dns_name_lower(lower.wire, name.wire, name.len);
	const struct dns_query query = {
		.name = dns_name_slice(&name), .type = type, .class = DNS_CLASS_IN
	};
	const struct local_sources sources = {
		.policy = policy, .special_names = special_names, .is_routed = is_routed
	};
	if (!local_answer(local, &sources, &query, dns_name_slice(&lower), buffer, size))
		return false;
	assert_int_equal(dns_answer_open(answer, local->message), 0);
	assert_true(dns_answer_is_for(answer, dns_name_slice(&name), type, DNS_CLASS_IN));
	assert_false(answer->flags & DNS_FLAG_TC);
	return true;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct local_answer local;
		struct dns_answer answer;
		struct dns_name chase = { 0 };
		uint8_t buffer[4096];
		bool ours = ask(row->name, row->type, &local, &answer, buffer, sizeof buffer);
		if (ours != row->ours)
			fail_msg("%s", row->name);
		if (!ours)
			continue;
		if (answer.counts[DNS_SECTION_ANSWER] != row->answers)
			fail_msg("%s: %u answers", row->name, answer.counts[0]);
		assert_int_equal(answer.rcode, DNS_RCODE_NOERROR);
		assert_int_equal(answer.counts[DNS_SECTION_AUTHORITY], row->authority);
		if (row->chase)
			assert_true(dns_name_from_text(&chase, slice_of_text(row->chase)));
		assert_true(slice_equals(dns_name_slice(&local.chase), dns_name_slice(&chase)));
	}
}

/* A chain is followed for a while; where that ends, the rest is asked for like any other name. */
static void test_long_chain(void **state)
{
	(void)state;
	struct local_answer local;
	struct dns_answer answer;
	uint8_t buffer[4096];
	assert_true(ask("c0.test", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
	assert_in_range(answer.counts[DNS_SECTION_ANSWER], 8, 16);
	assert_true(local.chase.len > 0);
}

/* What does not fit into the buffer is a failure, neither a part nor nothing. */
static void test_more_than_fits(void **state)
{
	(void)state;
	struct local_answer local;
	struct dns_answer answer;
	uint8_t buffer[4096];
	assert_true(ask("many.test", DNS_TYPE_AAAA, &local, &answer, buffer, sizeof buffer));
	assert_true(local.message.len <= sizeof buffer);
	assert_int_equal(answer.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(answer.counts[DNS_SECTION_ANSWER], 0);
}

/* Our own records come first; a route beats special names, but nothing sends resolver.arpa out. */
static void test_who_comes_first(void **state)
{
	(void)state;
	struct local_answer local;
	struct dns_answer answer;
	uint8_t buffer[4096];
	special_names[SPECIAL_HOME_ARPA] = true;
	assert_true(ask("nas.home.arpa", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
	assert_int_equal(answer.counts[DNS_SECTION_ANSWER], 2);
	assert_true(ask("x.home.arpa", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
	assert_int_equal(answer.rcode, DNS_RCODE_NXDOMAIN);
	is_routed = true;
	assert_false(ask("x.home.arpa", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
	assert_true(ask("nas.home.arpa", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
	assert_true(
		ask("_dns.resolver.arpa", DNS_TYPE_SVCB, &local, &answer, buffer, sizeof buffer));
	is_routed = false;
	special_names[SPECIAL_HOME_ARPA] = false;
	assert_false(ask("x.home.arpa", DNS_TYPE_A, &local, &answer, buffer, sizeof buffer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_more_than_fits),
		cmocka_unit_test(test_who_comes_first),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
