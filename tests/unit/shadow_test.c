/* A candidate beside the policy in force: what is a difference, who is judged, and what the indices
 * of one mean in the other. */
#include "tests/unit/shadow_files.h"

#include "dns/types.h"
#include "proxy/shadow/shadow.h"

#define ALLOW "{ name = \"a\"; priority = 1; action = \"ALLOW\"; domain_list = \"bad\"; }"
#define ALERT "{ name = \"a\"; priority = 1; action = \"ALERT\"; domain_list = \"bad\"; }"
#define BLOCK(more)                                                                                \
	"{ name = \"b\"; priority = 2; action = \"BLOCK\"; domain_list = \"bad\"; "                \
	"block_response = " more "; }"

static struct verdict judge(const struct policy *policy, uint16_t view, const char *text)
{
	struct verdict verdict;
	struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	const struct facts facts = {
		.view = view, .query_type = DNS_TYPE_A, .name = dns_name_slice(&name)
	};
	policy_judge_query(policy, &facts, &verdict, NULL);
	return verdict;
}

static void what_is_a_difference(void **state)
{
	static const struct {
		const char *in_force, *candidate;
		enum metrics_outcome from, to;
		bool differs;
	} rows[] = {
		{ "", "", METRICS_OUTCOME_NONE, METRICS_OUTCOME_NONE, false },
		{ "", ALLOW, METRICS_OUTCOME_NONE, METRICS_OUTCOME_ALLOW, false },
		{ ALLOW, "", METRICS_OUTCOME_ALLOW, METRICS_OUTCOME_NONE, false },
		{ "", ALERT, METRICS_OUTCOME_NONE, METRICS_OUTCOME_ALERT, true },
		{ ALLOW, ALERT, METRICS_OUTCOME_ALLOW, METRICS_OUTCOME_ALERT, true },
		{ "", BLOCK("\"NXDOMAIN\""), METRICS_OUTCOME_NONE, METRICS_OUTCOME_BLOCK, true },
		{ BLOCK("\"NXDOMAIN\""), "", METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_NONE, true },
		{ BLOCK("\"NXDOMAIN\""), ALERT, METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_ALERT,
			true },
		{ BLOCK("\"NXDOMAIN\""), BLOCK("\"NXDOMAIN\""), METRICS_OUTCOME_BLOCK,
			METRICS_OUTCOME_BLOCK, false },
		{ BLOCK("\"NXDOMAIN\""), BLOCK("\"NODATA\""), METRICS_OUTCOME_BLOCK,
			METRICS_OUTCOME_BLOCK, true },
		{ BLOCK("\"OVERRIDE\"; override_domain = \"x.test\"; override_ttl = \"1m\""),
			BLOCK("\"OVERRIDE\"; override_domain = \"x.test\"; override_ttl = \"1m\""),
			METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_BLOCK, false },
		{ BLOCK("\"OVERRIDE\"; override_domain = \"x.test\"; override_ttl = \"1m\""),
			BLOCK("\"OVERRIDE\"; override_domain = \"y.test\"; override_ttl = \"1m\""),
			METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_BLOCK, true },
		{ BLOCK("\"OVERRIDE\"; override_domain = \"x.test\"; override_ttl = \"1m\""),
			BLOCK("\"OVERRIDE\"; override_domain = \"x.test\"; override_ttl = \"2m\""),
			METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_BLOCK, true },
		{ BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.1\" ]"),
			BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.1\" ]"), METRICS_OUTCOME_BLOCK,
			METRICS_OUTCOME_BLOCK, false },
		{ BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.1\" ]"),
			BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.2\" ]"), METRICS_OUTCOME_BLOCK,
			METRICS_OUTCOME_BLOCK, true },
		{ BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.1\" ]"),
			BLOCK("\"ADDRESS\"; addresses = [ \"192.0.2.1\", \"192.0.2.2\" ]"),
			METRICS_OUTCOME_BLOCK, METRICS_OUTCOME_BLOCK, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct snapshot *a = shadow_snapshot(
			shadow_file_put("a.conf", rows[i].in_force, "", shadow_listeners));
		struct snapshot *b = shadow_snapshot(
			shadow_file_put("b.conf", rows[i].candidate, "", shadow_listeners));
		struct verdict first = judge(a->policy, 0, "www.bad.test");
		struct verdict second = judge(b->policy, 0, "www.bad.test");
		const struct shadow_judged in_force = { .policy = a->policy, .verdict = &first };
		const struct shadow_judged candidate = { .policy = b->policy, .verdict = &second };
		if (shadow_outcome(&in_force) != rows[i].from ||
			shadow_outcome(&candidate) != rows[i].to ||
			shadow_differs(&in_force, &candidate) != rows[i].differs)
			fail_msg("row %zu", i);
		snapshot_unref(a);
		snapshot_unref(b);
	}
}

/* What stands beside a verdict. */
static void outcomes_without_a_rule(void **state)
{
	(void)state;
	const struct verdict closed = { .reason = REASON_FAIL_CLOSED };
	const struct verdict open = { .action = ACTION_NONE, .reason = REASON_FAIL_OPEN };
	const struct shadow_judged nobody = { .view = POLICY_NO_ID };
	const struct shadow_judged failed = { .verdict = &closed };
	const struct shadow_judged passed = { .verdict = &open };
	const struct shadow_judged unknown = { .verdict = &open, .is_unknown = true };
	assert_int_equal(shadow_outcome(&nobody), METRICS_OUTCOME_NO_VIEW);
	assert_int_equal(shadow_outcome(&failed), METRICS_OUTCOME_FAILED);
	assert_int_equal(shadow_outcome(&passed), METRICS_OUTCOME_NONE);
	assert_int_equal(shadow_outcome(&unknown), METRICS_OUTCOME_UNKNOWN);
	assert_false(shadow_differs(&nobody, &nobody));
	assert_true(shadow_differs(&nobody, &unknown));
	assert_true(shadow_differs(&failed, &passed));
}

struct pair {
	struct snapshot *in_force, *candidate;
	struct shadow_tally *tally;
	struct shadow *shadow;
};

static struct pair pair_of(const char *in_force, const char *candidate, struct shadow_order order)
{
	struct pair pair = { .in_force = shadow_snapshot(in_force),
		.candidate = shadow_snapshot(candidate),
		.tally = shadow_tally_new(1, 0) };
	if (order.share == 0)
		order.share = 100;
	pair.shadow = shadow_new(pair.candidate, pair.in_force, &order, pair.tally);
	assert_non_null(pair.shadow);
	return pair;
}

static void pair_free(struct pair *pair)
{
	shadow_unref(pair->shadow);
	shadow_tally_unref(pair->tally);
	snapshot_unref(pair->candidate);
	snapshot_unref(pair->in_force);
}

static struct address client_of(unsigned number)
{
	return address_of_v4(
		(const uint8_t[]){ 10, 0, (uint8_t)(number >> 8), (uint8_t)(number & 255) });
}

static unsigned count_taken(const struct pair *pair)
{
	unsigned count = 0;
	for (unsigned i = 0; i < 10000; i++) {
		const struct address client = client_of(i);
		bool takes = shadow_takes(pair->shadow, 0, &client);
		assert_int_equal(takes, shadow_takes(pair->shadow, 0, &client));
		count += takes;
	}
	return count;
}

static void a_share_of_the_clients(void **state)
{
	(void)state;
	const char *file = shadow_file_put("a.conf", "", "", shadow_listeners);
	static const unsigned shares[] = { 1, 20, 50, 99, 100 };
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
		struct pair pair = pair_of(file, file, (struct shadow_order){ .share = shares[i] });
		unsigned count = count_taken(&pair);
		/* More than ten standard deviations. */
		assert_in_range(count, shares[i] * 100 > 500 ? shares[i] * 100 - 500 : 1,
			shares[i] * 100 + 500);
		if (shares[i] == 100)
			assert_int_equal(count, 10000);
		pair_free(&pair);
	}
}

static void views_that_were_named(void **state)
{
	(void)state;
	static const char *const far[] = { "far" };
	const char *file = shadow_file_put("a.conf", "", "", shadow_listeners);
	const struct address client = client_of(1);
	struct pair some =
		pair_of(file, file, (struct shadow_order){ .views = far, .view_count = 1 });
	assert_false(shadow_takes(some.shadow, 0, &client));
	assert_true(shadow_takes(some.shadow, 1, &client));
	assert_false(shadow_takes(some.shadow, POLICY_NO_ID, &client));
	pair_free(&some);
	struct pair all = pair_of(file, file, (struct shadow_order){ .view_count = 0 });
	assert_true(shadow_takes(all.shadow, 0, &client));
	assert_true(shadow_takes(all.shadow, POLICY_NO_ID, &client));
	pair_free(&all);
}

/* Listeners are known by where they listen, in whatever order they are written. */
static void the_candidates_own_view(void **state)
{
	(void)state;
	const char *file = shadow_file_put("a.conf", "", "", shadow_listeners);
	const char *other = shadow_file_put("b.conf", "", "listeners = [ \"second\" ];",
		"listeners = ( { name = \"second\"; protocol = \"dns\"; "
		"address = \"127.0.0.1\"; port = 5354; } );");
	struct pair pair = pair_of(file, other, (struct shadow_order){ .view_count = 0 });
	struct claims claims = { .client = address_of_v4((const uint8_t[]){ 127, 0, 0, 1 }) };
	assert_int_equal(shadow_find_view(pair.shadow, &claims), POLICY_NO_ID);
	claims.listener = 1;
	assert_int_equal(shadow_find_view(pair.shadow, &claims), 0);
	claims.listener = 77;
	assert_int_equal(shadow_find_view(pair.shadow, &claims), POLICY_NO_ID);
	claims.listener = 1;
	claims.client = client_of(1);
	assert_int_equal(shadow_find_view(pair.shadow, &claims), POLICY_NO_ID);
	pair_free(&pair);
}

static void counting_names_who_decided(void **state)
{
	(void)state;
	struct pair pair =
		pair_of(shadow_file_put("a.conf", BLOCK("\"NXDOMAIN\""), "", shadow_listeners),
			shadow_file_put("b.conf", "",
				"default_action = \"BLOCK\"; default_block_response = \"NODATA\";",
				shadow_listeners),
			(struct shadow_order){ .view_count = 0 });
	struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text("www.bad.test")));
	struct verdict first = judge(pair.in_force->policy, 0, "www.bad.test");
	struct verdict second = judge(pair.candidate->policy, 0, "www.bad.test");
	const struct shadow_judged in_force = { .policy = pair.in_force->policy,
		.rules = pair.shadow->rules_in_force,
		.verdict = &first };
	const struct shadow_judged candidate = {
		.policy = pair.candidate->policy, .rules = pair.shadow->rules, .verdict = &second
	};
	shadow_count(pair.shadow, pair.tally->tables[0], 0, &in_force, &candidate,
		dns_name_slice(&name), DNS_TYPE_A);
	/* The same done by another is no difference, but it is told. */
	first.block_response = BLOCK_NODATA;
	shadow_count(pair.shadow, pair.tally->tables[0], 0, &in_force, &candidate,
		dns_name_slice(&name), DNS_TYPE_A);
	struct shadow_sum *sum = shadow_tally_sum(pair.tally);
	const struct shadow_difference *what = &sum->rows[0].what;
	assert_int_equal(sum->judged, 2);
	assert_int_equal(sum->differing, 1);
	assert_int_equal(sum->elsewhere, 1);
	assert_int_equal(what->from_response, BLOCK_NXDOMAIN);
	assert_int_equal(what->to_response, BLOCK_NODATA);
	assert_string_equal(intern_text(&pair.tally->names, what->view), "lan");
	assert_string_equal(intern_text(&pair.tally->names, what->from_by), "base/b");
	assert_string_equal(intern_text(&pair.tally->names, what->to_by), "default action");
	free(sum);
	pair_free(&pair);
}

/* A copy shares all with the snapshot it was made of, whichever goes first. */
static void copies_of_a_snapshot(void **state)
{
	(void)state;
	const char *file = shadow_file_put("a.conf", "", "", shadow_listeners);
	struct pair pair = pair_of(file, file, (struct shadow_order){ .view_count = 0 });
	pair.in_force->revision = 12;
	struct snapshot *copy = snapshot_with_shadow(pair.in_force, shadow_ref(pair.shadow));
	struct snapshot *second = snapshot_with_shadow(copy, NULL);
	assert_ptr_equal(copy->policy, pair.in_force->policy);
	assert_ptr_equal(second->policy, pair.in_force->policy);
	assert_ptr_equal(second->base, pair.in_force);
	assert_int_equal(second->revision, 12);
	assert_null(second->shadow);
	pair_free(&pair);
	snapshot_unref(copy);
	assert_int_equal(policy_view_count(second->policy), 2);
	snapshot_unref(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_difference),
		cmocka_unit_test(outcomes_without_a_rule),
		cmocka_unit_test(a_share_of_the_clients),
		cmocka_unit_test(views_that_were_named),
		cmocka_unit_test(the_candidates_own_view),
		cmocka_unit_test(counting_names_who_decided),
		cmocka_unit_test(copies_of_a_snapshot),
	};
	return cmocka_run_group_tests(tests, shadow_files_begin, shadow_files_end);
}
