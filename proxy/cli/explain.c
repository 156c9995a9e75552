/* explain.c - the whole trace of a decision, by the same evaluator that traffic meets, and what
 * would change it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "proxy/cli/claims_arguments.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/explain_running.h"
#include "proxy/explain/answer_text.h"
#include "proxy/explain/live.h"
#include "proxy/explain/suggest.h"
#include "proxy/explain/trace_print.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/list_state.h"
#include "proxy/lists/lists_before.h"
#include "proxy/snapshot.h"

enum { RECORDS_MAX = 64, ANSWER_FILE_MAX = 1024 * 1024 };

struct explain_arguments {
	const char *file;
	const char *name;
	const char *type;
	const char *view;
	struct claims_arguments claims;
	const char *records[RECORDS_MAX];
	size_t record_count;
	const char *answer_file;
	const char *expect;
	bool json;
	bool live;
	bool running;
};

/* One run. */
struct explaining {
	struct explain_arguments *arguments;
	struct snapshot *snapshot;
	struct explain_world world;
	struct explain_question question;
	struct explain_outcome outcome;
	struct trace trace;
	struct list_state state; /* of the state directory: when lists came */
	uint8_t answer[DNS_MESSAGE_MAX];
};

/* ---- the command line ---- */

static int take_record(struct explain_arguments *arguments, const char *text)
{
	if (arguments->record_count == RECORDS_MAX)
		return cli_usage("explain takes %d --answer at most", RECORDS_MAX);
	arguments->records[arguments->record_count++] = text;
	return 0;
}

static int check_arguments(struct explain_arguments *arguments, int argc, char **argv)
{
	enum action action;
	if (!arguments->file || optind != argc - 1)
		return cli_usage("explain needs -c FILE and one NAME");
	if ((arguments->record_count > 0) + (arguments->answer_file != NULL) + arguments->live > 1)
		return cli_usage("explain takes one of --answer, --answer-file and --live");
	if (arguments->expect && !action_parse(arguments->expect, &action))
		return cli_usage("\"%s\" is not a verdict", arguments->expect);
	arguments->name = argv[optind];
	return 0;
}

static int parse_arguments(int argc, char **argv, struct explain_arguments *arguments)
{
	static const struct option options[] = {
		{ "type", required_argument, NULL, 't' },
		{ "view", required_argument, NULL, 'v' },
		CLAIMS_OPTIONS,
		{ "answer", required_argument, NULL, 'r' },
		{ "answer-file", required_argument, NULL, 'f' },
		{ "expect", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "live", no_argument, NULL, 'L' },
		{ "running", no_argument, NULL, 'R' },
		{ 0 },
	};
	int code = 0;
	opterr = 0;
	for (int option;
		!code && (option = getopt_long(argc, argv, "c:t:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 't': arguments->type = optarg; break;
		case 'v': arguments->view = optarg; break;
		case 'r': code = take_record(arguments, optarg); break;
		case 'f': arguments->answer_file = optarg; break;
		case 'e': arguments->expect = optarg; break;
		case 'j': arguments->json = true; break;
		case 'L': arguments->live = true; break;
		case 'R': arguments->running = true; break;
		default:
			if (!claims_arguments_take(&arguments->claims, option, optarg))
				return cli_usage("explain does not know \"%s\"", argv[optind - 1]);
		}
	}
	return code ? code : check_arguments(arguments, argc, argv);
}

/* ---- the question ---- */

static bool find_view(const struct config *config, const char *name, uint16_t *view)
{
	for (size_t i = 0; i < config->policy.view_count; i++) {
		if (strcmp(config->policy.views[i].name, name) != 0)
			continue;
		*view = (uint16_t)i;
		return true;
	}
	return false;
}

static int read_claims(struct explaining *explaining)
{
	struct explain_arguments *arguments = explaining->arguments;
	const struct config *config = explaining->snapshot->config;
	struct explain_question *question = &explaining->question;
	const char *wrong;
	const char *error = claims_arguments_read(
		&arguments->claims, config, explaining->world.now_s, &question->claims, &wrong);
	if (error)
		return cli_usage("\"%s\": %s", wrong, error);
	question->view = POLICY_NO_ID;
	if (arguments->view && !find_view(config, arguments->view, &question->view))
		return cli_usage("there is no view \"%s\"", arguments->view);
	return 0;
}

static int read_question(struct explaining *explaining)
{
	const struct explain_arguments *arguments = explaining->arguments;
	const char *type = arguments->type ? arguments->type : "A";
	if (!dns_name_from_text(&explaining->question.name, slice_of_text(arguments->name)))
		return cli_usage("\"%s\" is not a domain name", arguments->name);
	if (!dns_type_parse(slice_of_text(type), &explaining->question.type))
		return cli_usage("\"%s\" is not a query type", type);
	return read_claims(explaining);
}

/* ---- the answer ---- */

static int take_answer(struct explaining *explaining, struct slice text)
{
	struct answer_text answer;
	if (!answer_text_read(&answer, text, dns_name_slice(&explaining->question.name),
		    explaining->question.type, explaining->answer, sizeof explaining->answer))
		return cli_usage("the answer: %s", answer.error);
	if (answer.left_out)
		fprintf(stderr, "namegate: %u records of the answer are left out; the first: %s\n",
			answer.left_out, answer.error);
	explaining->question.answer = answer.message;
	explaining->question.answer_from = "given";
	return 0;
}

static int take_records(struct explaining *explaining)
{
	const struct explain_arguments *arguments = explaining->arguments;
	size_t len = 0;
	for (size_t i = 0; i < arguments->record_count; i++)
		len += strlen(arguments->records[i]) + 1;
	char *text = malloc(len + 1);
	if (!text)
		return EXIT_FAILED;
	struct writer to = writer_of(text, len);
	for (size_t i = 0; i < arguments->record_count; i++) {
		writer_text(&to, arguments->records[i]);
		writer_u8(&to, '\n');
	}
	int code = take_answer(explaining, writer_slice(&to));
	free(text);
	return code;
}

static int take_answer_file(struct explaining *explaining)
{
	const char *file = explaining->arguments->answer_file;
	struct slice text;
	int error = list_file_read(file, ANSWER_FILE_MAX, &text);
	if (error) {
		fprintf(stderr, "namegate: %s: %s\n", file, error_text(error));
		return EXIT_FAILED;
	}
	int code = take_answer(explaining, text);
	free((void *)(uintptr_t)text.at);
	return code;
}

static int read_answer(struct explaining *explaining)
{
	if (explaining->arguments->answer_file)
		return take_answer_file(explaining);
	return explaining->arguments->record_count ? take_records(explaining) : 0;
}

/* ---- the world ---- */

/* Of a file when it was written; of what is fetched when a server last said that it is this. */
static int64_t fetched_s(void *context, size_t list)
{
	const struct explaining *explaining = context;
	const struct lists_item *item = &explaining->snapshot->lists->items[list];
	const struct list_record *record = list_state_find(&explaining->state, item->name);
	struct stat about;
	if (item->origin == LIST_URL && record)
		return record->success_s;
	return item->path && stat(item->path, &about) == 0 ? (int64_t)about.st_mtime : 0;
}

static void find_world(struct explaining *explaining)
{
	const struct snapshot *snapshot = explaining->snapshot;
	lists_read_state(&explaining->state, snapshot->config->state_directory);
	explaining->world = (struct explain_world){ .config = snapshot->config,
		.policy = snapshot->policy,
		.lists = snapshot->lists,
		.routes = snapshot->routes,
		.now_s = (int64_t)time(NULL),
		.policy_hash = snapshot->policy_hash,
		.fetched_s = fetched_s,
		.context = explaining };
}

/* ---- the telling ---- */

static void look_into_lists(struct explaining *explaining)
{
	struct excerpt excerpt = { .failed = false };
	if (excerpt_open(&excerpt, &explaining->world, &explaining->outcome)) {
		excerpt_find_lines(&excerpt, &explaining->trace);
		suggest_changes(&explaining->trace, &excerpt);
	}
	excerpt_close(&excerpt);
}

static void note(struct trace *trace, const char *text)
{
	struct trace_note *row = trace_add(trace, TRACE_NOTE);
	row->text = text;
}

/* Whom would the policy ask? The answer is kept as one that was given. */
static int ask_live(struct explaining *explaining, struct config_errors *errors)
{
	struct explain_question *question = &explaining->question;
	struct explain_outcome *outcome = &explaining->outcome;
	struct trace scratch = { .row_count = 0 };
	size_t len;
	explain_take(&scratch, &explaining->world, question, outcome);
	trace_deinit(&scratch);
	if (outcome->view == POLICY_NO_ID || outcome->group == POLICY_NO_ID) {
		note(&explaining->trace, "nobody was asked: the policy asks nobody for this name");
		return 0;
	}
	int error = live_ask(explaining->snapshot, outcome->group, &question->name, question->type,
		explaining->answer, &len, errors);
	if (error) {
		fprintf(stderr, "namegate: no live answer: %s\n", error_text(error));
		return EXIT_FAILED;
	}
	question->answer = slice_of(explaining->answer, len);
	question->answer_from = "live";
	return 0;
}

/* ---- the running program ---- */

/* Lines and changes are this side's work, if the files are those of the policy that runs. */
static void look_into_running(struct explaining *explaining)
{
	const struct trace_policy *policy = trace_row(&explaining->trace, TRACE_POLICY, 0);
	const struct trace_view *view = trace_row(&explaining->trace, TRACE_VIEW, 0);
	struct trace scratch = { .row_count = 0 };
	if (!policy || !view || !view->name)
		return;
	if (!explaining->snapshot || !policy->hash ||
		strcmp(policy->hash, explaining->snapshot->policy_hash) != 0) {
		note(&explaining->trace,
			"the files are not those of the policy that runs: neither lines nor "
			"changes of lists and rules are told");
		return;
	}
	struct exceptions *exceptions = cli_explain_exceptions(&explaining->trace);
	explaining->world.exceptions = exceptions;
	explaining->world.now_s = policy->now_s;
	explain_take(&scratch, &explaining->world, &explaining->question, &explaining->outcome);
	trace_deinit(&scratch);
	look_into_lists(explaining);
	exceptions_unref(exceptions);
}

static int ask_running(struct explaining *explaining)
{
	const struct explain_arguments *arguments = explaining->arguments;
	const struct explain_request request = { .name = arguments->name,
		.type = arguments->type ? arguments->type : "A",
		.client = arguments->claims.client,
		.view = arguments->view,
		.listener = arguments->claims.listener,
		.answer = explaining->question.answer,
		.is_live = arguments->live,
		.claims = &explaining->question.claims };
	struct trace told = { .row_count = 0 };
	int code =
		cli_explain_running(explaining->snapshot->config->control_socket, &request, &told);
	for (size_t i = 0; i < trace_count(&explaining->trace, TRACE_NOTE); i++)
		note(&told,
			((struct trace_note *)trace_row(&explaining->trace, TRACE_NOTE, i))->text);
	trace_deinit(&explaining->trace);
	explaining->trace = told;
	if (!code)
		look_into_running(explaining);
	return code;
}

/* ---- all of it ---- */

static int ask_file(struct explaining *explaining)
{
	struct trace *trace = &explaining->trace;
	explain_take(trace, &explaining->world, &explaining->question, &explaining->outcome);
	if (explaining->outcome.view == POLICY_NO_ID)
		return EXIT_FINE;
	suggest_exceptions(trace, &explaining->world, &explaining->outcome);
	look_into_lists(explaining);
	return EXIT_FINE;
}

static int tell(const struct explaining *explaining)
{
	const struct trace_verdict *row = trace_row(&explaining->trace, TRACE_VERDICT, 0);
	const char *expect = explaining->arguments->expect;
	if (explaining->arguments->json)
		trace_print_json(stdout, &explaining->trace);
	else
		trace_print_text(stdout, &explaining->trace);
	return !expect || (row && strcmp(row->action, expect) == 0) ? EXIT_FINE : EXIT_FAILED;
}

static int explain(struct explaining *explaining, struct config_errors *errors)
{
	int code = read_question(explaining);
	if (!code)
		code = read_answer(explaining);
	if (!code && explaining->arguments->live)
		code = ask_live(explaining, errors);
	if (!code)
		code = explaining->arguments->running ? ask_running(explaining)
						      : ask_file(explaining);
	return code ? code : tell(explaining);
}

static int run(struct explaining *explaining, struct config_errors *errors)
{
	const struct config *config = explaining->snapshot->config;
	if (explaining->arguments->running && !config->control_socket) {
		fprintf(stderr, "namegate: %s: no control_socket is configured\n", config->file);
		return EXIT_FAILED;
	}
	find_world(explaining);
	int code = explain(explaining, errors);
	trace_deinit(&explaining->trace);
	list_state_deinit(&explaining->state);
	return code;
}

int cli_explain(int argc, char **argv)
{
	static struct explaining explaining; /* too large for a stack */
	struct explain_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .offline = true };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	explaining.arguments = &arguments;
	explaining.snapshot = snapshot_load(arguments.file, &parts, &errors);
	if (!explaining.snapshot)
		return EXIT_CONFIG;
	code = run(&explaining, &errors);
	snapshot_unref(explaining.snapshot);
	return code;
}
