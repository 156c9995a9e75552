/* control_fuzz.c - a line that comes over the control socket: whatever it is, the answer is whole,
 * printable, and the command at the other end can take it apart. */
#include "base/error.h"
#include "dns/name.h"
#include "proxy/control/control_client.h"
#include "proxy/control/control_verbs.h"
#include "proxy/explain/explain.h"
#include "proxy/shadow/shadow.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t flush(void *context, struct slice name, bool below)
{
	(void)context;
	REBUILD_REQUIRE(name.len > 0 && dns_name_check(name) == name.len);
	return name.len + below;
}

static size_t count_lists(void *context)
{
	(void)context;
	return 700; /* more than one answer has room for */
}

static void tell_list(void *context, size_t number, struct list_status *status)
{
	(void)context;
	REBUILD_REQUIRE(number < 700);
	*status = (struct list_status){ .name = "one of many",
		.origin = "url",
		.source = "https://lists.example/a/rather/long/path/to/a/list.txt",
		.fault = LIST_FAULT_SHRUNK,
		.why = "12 entries, 5000 are in force",
		.entry_count = number };
}

static int64_t tell_now(void *context)
{
	(void)context;
	return 1800000000;
}

static int order(void *context, const char *name)
{
	(void)context;
	return name && strlen(name) > 3 ? -ENOENT : 0;
}

/* A policy of one view, without rules. */
static void tell_world(void *context, struct explain_world *world)
{
	static const struct view_spec view = { .name = "lan" };
	static const struct listener_config listener = { .name = "dns-53" };
	static const uint16_t group = 0;
	static const struct config config = { .file = "n.conf",
		.listeners = &listener,
		.listener_count = 1,
		.view_groups = &group,
		.policy = { .views = &view, .view_count = 1, .listener_count = 1 } };
	static struct lists lists;
	static struct policy *policy;
	static struct routes *routes;
	int error;
	(void)context;
	if (!policy)
		policy = policy_build(&config.policy, NULL, &error);
	if (!routes)
		routes = routes_new(&config, 1);
	REBUILD_REQUIRE(policy && routes);
	*world = (struct explain_world){ .config = &config,
		.policy = policy,
		.lists = &lists,
		.routes = routes,
		.now_s = 1800000000,
		.policy_hash = "0123",
		.revision = 1 };
}

static const char *start_shadow(void *context, const struct shadow_order *wanted)
{
	(void)context;
	REBUILD_REQUIRE(wanted->file[0] == '/' && wanted->share >= 1 && wanted->share <= 100);
	REBUILD_REQUIRE(wanted->view_count < CONTROL_WORDS_MAX);
	for (size_t i = 0; i < wanted->view_count; i++)
		REBUILD_REQUIRE(wanted->views[i][0]);
	return strlen(wanted->file) > 9 ? "too long" : NULL;
}

static const char *end_shadow(void *context)
{
	(void)context;
	return NULL;
}

static void tell_shadow(void *context, enum control_telling how, struct writer *answer)
{
	(void)context;
	writer_text(answer, how == CONTROL_TELL_JSON ? "{}\n" : "off\n");
}

static void check_words(const struct control_request *request, struct slice line)
{
	REBUILD_REQUIRE(request->count > 0 && request->count <= CONTROL_WORDS_MAX);
	for (size_t i = 0; i < request->count; i++) {
		struct slice word = request->words[i];
		REBUILD_REQUIRE(word.len > 0 && word.at >= line.at &&
			word.at + word.len <= line.at + line.len);
		for (size_t k = 0; k < word.len; k++)
			REBUILD_REQUIRE(word.at[k] > ' ' && word.at[k] < 0x7f);
	}
}

static void check_answer(struct slice bytes)
{
	struct control_answer answer;
	REBUILD_REQUIRE(control_client_read(&answer, bytes));
	for (size_t i = 0; i < bytes.len; i++)
		REBUILD_REQUIRE(bytes.at[i] == '\n' || (bytes.at[i] >= ' ' && bytes.at[i] < 0x7f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[CONTROL_ANSWER_MAX];
	static const struct control_source sources[] = {
		{ .flush = flush,
			.list_count = count_lists,
			.list_status = tell_list,
			.now_s = tell_now,
			.list_refresh = order,
			.list_accept = order,
			.explain_world = tell_world,
			.shadow_start = start_shadow,
			.shadow_stop = end_shadow,
			.shadow_promote = end_shadow,
			.shadow_tell = tell_shadow },
		{ .flush = NULL },
	};
	struct control_request request;
	struct control_answer answer;
	struct slice line = slice_of(data, size);
	control_client_read(&answer, line); /* an answer may be anything as well */
	if (!control_request_read(&request, line))
		return 0;
	check_words(&request, line);
	for (size_t i = 0; i < 2; i++) {
		struct writer to = writer_of(buffer, sizeof buffer);
		control_verbs_run(&sources[i], &request, &to);
		REBUILD_REQUIRE(!to.failed);
		check_answer(writer_slice(&to));
	}
	return 0;
}
