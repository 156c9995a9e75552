/* The shadow of the running program from order to end: what is told at each step, and what happens
 * when the next order comes before the last one is done. */
#include "tests/unit/shadow_files.h"

#include "dns/types.h"
#include "proxy/shadow/shadow_keeper.h"

static const char rule[] = "{ name = \"r\"; priority = 1; action = \"BLOCK\"; "
			   "domain_list = \"bad\"; block_response = \"NODATA\"; }";

struct scene {
	struct snapshot *in_force;
	struct shadow_keeper *keeper;
};

static struct scene scene_open(void)
{
	struct scene scene = { .in_force = shadow_snapshot(
				       shadow_file_put("a.conf", "", "", shadow_listeners)) };
	scene.keeper = shadow_keeper_new(scene.in_force->config->file, 1);
	assert_non_null(scene.keeper);
	return scene;
}

static void scene_close(struct scene *scene)
{
	shadow_keeper_free(scene->keeper);
	snapshot_unref(scene->in_force);
}

static void begin(struct scene *scene, const char *file)
{
	const struct shadow_order order = { .file = file, .share = 100 };
	assert_true(shadow_keeper_begin(scene->keeper, &order, 100));
	assert_int_equal(shadow_keeper_state(scene->keeper), SHADOW_LOADING);
}

static void load(struct scene *scene, bool reads_file)
{
	shadow_keeper_prepare(scene->keeper, scene->in_force, reads_file);
	shadow_keeper_load(scene->keeper);
	shadow_keeper_loaded(scene->keeper);
}

static const char *state_of(const struct scene *scene)
{
	static char text[SHADOW_NOTE_MAX + 64];
	struct writer to = writer_of(text, sizeof text - 1);
	writer_text(&to, shadow_state_name(shadow_keeper_state(scene->keeper)));
	writer_u8(&to, '\n');
	shadow_keeper_tell_note(scene->keeper, &to);
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static const char *told(const struct scene *scene, bool json, size_t capacity)
{
	static char text[65536];
	struct writer to = writer_of(text, capacity - 1);
	if (json)
		shadow_keeper_tell_json(scene->keeper, scene->in_force, &to);
	else
		shadow_keeper_tell_text(scene->keeper, scene->in_force, 160, &to);
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static void from_order_to_end(void **state)
{
	(void)state;
	struct scene scene = scene_open();
	assert_string_equal(state_of(&scene), "off\n");
	assert_null(shadow_keeper_pair(scene.keeper, scene.in_force));
	begin(&scene, shadow_file_put("b.conf", rule, "", shadow_listeners));
	assert_string_equal(state_of(&scene), "loading\n");
	assert_null(shadow_keeper_pair(scene.keeper, scene.in_force));
	load(&scene, true);
	assert_string_equal(state_of(&scene), "running\n");
	struct shadow *shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	assert_int_equal(policy_rule_count(shadow->candidate->policy), 1);
	shadow_unref(shadow);
	assert_non_null(strstr(told(&scene, false, 4096), "\nsince      60s ago\n"));
	shadow_keeper_end(scene.keeper);
	assert_string_equal(state_of(&scene), "off\n");
	assert_string_equal(told(&scene, true, 4096), "{\"state\":\"off\"}\n");
	scene_close(&scene);
}

/* The candidate beside the configuration is named as that is, so that relative paths mean the same
 * in both. */
static void a_neighbour_has_a_like_name(void **state)
{
	(void)state;
	char before[512];
	assert_non_null(getcwd(before, sizeof before));
	shadow_file_put("a.conf", "", "", shadow_listeners);
	const char *candidate = shadow_file_put("b.conf", "", "", shadow_listeners);
	static const struct {
		const char *config, *expected;
	} rows[] = { { "a.conf", "b.conf" }, { "./a.conf", "./b.conf" } };
	assert_int_equal(chdir(shadow_directory), 0);
	for (size_t i = 0; i < 2; i++) {
		struct shadow_keeper *keeper = shadow_keeper_new(rows[i].config, 1);
		const struct shadow_order order = { .file = candidate, .share = 100 };
		assert_true(shadow_keeper_begin(keeper, &order, 0));
		assert_string_equal(shadow_keeper_file(keeper), rows[i].expected);
		const struct shadow_order far = { .file = "/etc/b.conf", .share = 100 };
		assert_true(shadow_keeper_begin(keeper, &far, 0));
		assert_string_equal(shadow_keeper_file(keeper), "/etc/b.conf");
		shadow_keeper_free(keeper);
	}
	assert_int_equal(chdir(before), 0);
}

static void what_does_not_load(void **state)
{
	(void)state;
	struct scene scene = scene_open();
	begin(&scene, shadow_file_put("b.conf", "nonsense", "", shadow_listeners));
	load(&scene, true);
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_FAILED);
	assert_non_null(strstr(state_of(&scene), "b.conf:"));
	assert_null(shadow_keeper_pair(scene.keeper, scene.in_force));
	assert_string_equal(shadow_keeper_promote(scene.keeper, scene.in_force),
		"there is no shadow that could be promoted");
	/* Another order makes it good; broken later, what was loaded goes on. */
	begin(&scene, shadow_file_put("b.conf", rule, "", shadow_listeners));
	load(&scene, true);
	assert_string_equal(state_of(&scene), "running\n");
	shadow_file_put("b.conf", "nonsense", "", shadow_listeners);
	load(&scene, false); /* its lists alone: the file is not looked at */
	assert_string_equal(state_of(&scene), "running\n");
	load(&scene, true);
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_RUNNING);
	assert_non_null(strstr(state_of(&scene), "b.conf:"));
	struct shadow *shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	assert_non_null(shadow);
	shadow_unref(shadow);
	scene_close(&scene);
}

/* A view that would be in its fail mode is nothing to compare with. */
static void a_list_that_is_missing(void **state)
{
	(void)state;
	struct scene scene = scene_open();
	const char *file = shadow_file("b.conf");
	begin(&scene, file);
	assert_int_equal(list_file_write(file,
				 slice_of_text("listeners = ( { protocol = \"dns\"; address = "
					       "\"127.0.0.1\"; port = 5353; } );\n"
					       "state_directory = \"state\";\n"
					       "domain_lists = ( { name = \"far\"; format = "
					       "\"hosts\"; source = \"https://l.test/x\"; } );\n"
					       "rule_groups = ( { name = \"g\"; rules = ( { name = "
					       "\"r\"; priority = 1; action = \"ALERT\"; "
					       "domain_list = \"far\"; } ); } );\n"
					       "views = ( { name = \"lan\"; clients = [ "
					       "\"127.0.0.0/8\" ]; associations = ( { rule_group "
					       "= \"g\"; priority = 1; } ); } );\n")),
		0);
	load(&scene, true);
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_FAILED);
	assert_non_null(strstr(state_of(&scene), "list \"far\" cannot be used"));
	scene_close(&scene);
}

/* What comes of a load that nobody waits for any more is let go. */
static void orders_while_one_is_loading(void **state)
{
	(void)state;
	struct scene scene = scene_open();
	const char *first = shadow_file_put("b.conf", rule, "", shadow_listeners);
	begin(&scene, first);
	shadow_keeper_prepare(scene.keeper, scene.in_force, true);
	shadow_keeper_end(scene.keeper);
	shadow_keeper_load(scene.keeper);
	shadow_keeper_loaded(scene.keeper);
	assert_string_equal(state_of(&scene), "off\n");
	begin(&scene, first);
	shadow_keeper_prepare(scene.keeper, scene.in_force, true);
	begin(&scene, shadow_file_put("c.conf", "", "", shadow_listeners));
	shadow_keeper_load(scene.keeper);
	shadow_keeper_loaded(scene.keeper);
	assert_string_equal(state_of(&scene), "loading\n");
	load(&scene, true);
	struct shadow *shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	assert_int_equal(policy_rule_count(shadow->candidate->policy), 0);
	shadow_unref(shadow);
	scene_close(&scene);
}

static struct config *config_of(const char *more)
{
	char all[4096];
	struct config_errors errors = { .on_error = shadow_on_error };
	snprintf(all, sizeof all, "%s%s", shadow_listeners, more);
	return config_load(shadow_file_put("a.conf", "", "", all), &errors);
}

static bool follow(struct scene *scene, const char *more)
{
	struct config *config = config_of(more);
	bool loads = shadow_keeper_follow(scene->keeper, config, 100);
	config_free(config);
	return loads;
}

static void the_configurations_own(void **state)
{
	(void)state;
	static const char wanted[] =
		"shadow = { file = \"b.conf\"; share = \"20%\"; views = [ \"lan\" ]; };";
	struct scene scene = scene_open();
	const char *file = shadow_file_put("b.conf", rule, "", shadow_listeners);
	assert_false(follow(&scene, ""));
	assert_true(follow(&scene, wanted));
	load(&scene, true);
	struct shadow *shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	assert_int_equal(shadow->share, 20);
	assert_true(shadow->takes_view[0]);
	assert_false(shadow->takes_view[1]);
	struct shadow_tally *tally = shadow_tally_ref(shadow->tally);
	shadow_unref(shadow);
	/* The same one goes on with its counters; another one begins anew. */
	assert_true(follow(&scene, wanted));
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_RUNNING);
	shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	assert_ptr_equal(shadow->tally, tally);
	shadow_unref(shadow);
	shadow_tally_unref(tally);
	assert_true(follow(&scene, "shadow = { file = \"b.conf\"; };"));
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_LOADING);
	/* What a command began is not ended by a configuration. */
	begin(&scene, file);
	load(&scene, true);
	assert_true(follow(&scene, ""));
	assert_true(follow(&scene, wanted));
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_RUNNING);
	shadow_keeper_end(scene.keeper);
	assert_true(follow(&scene, wanted));
	assert_false(follow(&scene, ""));
	assert_int_equal(shadow_keeper_state(scene.keeper), SHADOW_OFF);
	scene_close(&scene);
}

static void promoting(void **state)
{
	(void)state;
	struct scene scene = scene_open();
	char settings[512];
	snprintf(settings, sizeof settings, "%sworkers = 3;\n", shadow_listeners);
	begin(&scene, shadow_file_put("b.conf", rule, "", settings));
	load(&scene, true);
	assert_string_equal(shadow_keeper_promote(scene.keeper, scene.in_force),
		"\"workers\" differs, which needs a restart");
	assert_non_null(strstr(told(&scene, true, 4096), "\"needs_restart\":\"workers\""));
	const char *file = shadow_file_put("b.conf", rule, "", shadow_listeners);
	load(&scene, true);
	assert_null(shadow_keeper_promote(scene.keeper, scene.in_force));
	assert_string_equal(state_of(&scene), "promoting\n");
	assert_string_equal(
		shadow_keeper_promote(scene.keeper, scene.in_force), "it is being promoted");
	shadow_keeper_promoted(scene.keeper, NULL, false);
	assert_memory_equal(state_of(&scene), "running\nnot promoted: ", 22);
	assert_null(shadow_keeper_promote(scene.keeper, scene.in_force));
	struct snapshot *loaded = shadow_snapshot(file);
	assert_string_equal(shadow_keeper_hash(scene.keeper), loaded->config->hash);
	loaded->revision = 9;
	shadow_keeper_promoted(scene.keeper, loaded, true);
	assert_memory_equal(state_of(&scene), "off\n", 4);
	assert_non_null(strstr(state_of(&scene), "revision 9"));
	assert_non_null(strstr(state_of(&scene), "cp "));
	assert_null(shadow_keeper_pair(scene.keeper, loaded));
	snapshot_unref(loaded);
	scene_close(&scene);
}

/* However many differences, what is told fits, and what is left out is counted. */
static void an_answer_is_bounded(void **state)
{
	(void)state;
	static const size_t capacities[] = { 1500, 4000, 65536 };
	struct scene scene = scene_open();
	begin(&scene, shadow_file_put("b.conf", rule, "", shadow_listeners));
	load(&scene, true);
	struct shadow *shadow = shadow_keeper_pair(scene.keeper, scene.in_force);
	for (unsigned i = 0; i < 200; i++) {
		struct dns_name name = { .len = 0 };
		const struct shadow_difference what = { .view = shadow->views[0],
			.from_by = shadow->reasons[REASON_DEFAULT],
			.to_by = SHADOW_NO_NAME,
			.from = (uint8_t)(i % METRICS_OUTCOME_COUNT),
			.to = (uint8_t)(i / METRICS_OUTCOME_COUNT % METRICS_OUTCOME_COUNT) };
		assert_true(dns_name_from_text(&name, slice_of_text("some.name.test")));
		shadow_table_add(shadow->tally->tables[0], &what, dns_name_slice(&name),
			(uint16_t)(60000 + i));
	}
	shadow_unref(shadow);
	for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
		const char *json = told(&scene, true, capacities[i]);
		assert_memory_equal(json + strlen(json) - 2, "}\n", 3);
		assert_non_null(strstr(json, "\"different\":200"));
		assert_null(strstr(json, "\"differences_left_out\":0}"));
		assert_non_null(strstr(
			told(&scene, false, capacities[i]), " more differences of other kinds\n"));
	}
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_order_to_end),
		cmocka_unit_test(a_neighbour_has_a_like_name),
		cmocka_unit_test(what_does_not_load),
		cmocka_unit_test(a_list_that_is_missing),
		cmocka_unit_test(orders_while_one_is_loading),
		cmocka_unit_test(the_configurations_own),
		cmocka_unit_test(promoting),
		cmocka_unit_test(an_answer_is_bounded),
	};
	return cmocka_run_group_tests(tests, shadow_files_begin, shadow_files_end);
}
