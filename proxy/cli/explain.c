/* explain.c - the whole trace of a decision, by the same evaluator that traffic meets. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/cli/cli.h"
#include "proxy/lists/list_edition.h"
#include "proxy/query/local.h"
#include "proxy/query/special.h"
#include "proxy/snapshot.h"
#include "proxy/watch/escape.h"

struct explain_arguments {
	const char *file;
	const char *name;
	const char *type;
	const char *client;
	const char *view;
	const char *listener;
};

struct question {
	struct dns_name name;
	struct dns_name lower;
	uint16_t type;
	struct address client;
	uint16_t listener;
	uint16_t view;
};

static int parse_arguments(int argc, char **argv, struct explain_arguments *arguments)
{
	static const struct option options[] = {
		{ "type", required_argument, NULL, 't' },
		{ "client", required_argument, NULL, 'a' },
		{ "view", required_argument, NULL, 'v' },
		{ "listener", required_argument, NULL, 'l' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:t:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 't': arguments->type = optarg; break;
		case 'a': arguments->client = optarg; break;
		case 'v': arguments->view = optarg; break;
		case 'l': arguments->listener = optarg; break;
		default: return cli_usage("explain does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (!arguments->file || optind != argc - 1)
		return cli_usage("explain needs -c FILE and one NAME");
	arguments->name = argv[optind];
	return 0;
}

static bool find_listener(const struct config *config, const char *name, uint16_t *listener)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		if (strcmp(config->listeners[i].name, name) != 0)
			continue;
		*listener = (uint16_t)i;
		return true;
	}
	return false;
}

static bool find_view(const struct policy *policy, const char *name, uint16_t *view)
{
	for (size_t i = 0; i < policy_view_count(policy); i++) {
		if (strcmp(policy_view(policy, (uint16_t)i)->name, name) != 0)
			continue;
		*view = (uint16_t)i;
		return true;
	}
	return false;
}

static int read_question(const struct explain_arguments *arguments, const struct snapshot *snapshot,
	struct question *question)
{
	const char *client = arguments->client ? arguments->client : "127.0.0.1";
	const char *type = arguments->type ? arguments->type : "A";
	if (!dns_name_from_text(&question->name, slice_of_text(arguments->name)))
		return cli_usage("\"%s\" is not a domain name", arguments->name);
	if (!dns_type_parse(slice_of_text(type), &question->type))
		return cli_usage("\"%s\" is not a query type", type);
	if (!address_parse(&question->client, client))
		return cli_usage("\"%s\" is not an address", client);
	if (arguments->listener &&
		!find_listener(snapshot->config, arguments->listener, &question->listener))
		return cli_usage("there is no listener \"%s\"", arguments->listener);
	const struct claims claims = { .client = question->client, .listener = question->listener };
	question->view = policy_find_view(snapshot->policy, &claims).view;
	if (arguments->view && !find_view(snapshot->policy, arguments->view, &question->view))
		return cli_usage("there is no view \"%s\"", arguments->view);
	question->lower.len = question->name.len;
	dns_name_lower(question->lower.wire, question->name.wire, question->name.len);
	return 0;
}

/* Whom the trace tells. */
struct telling {
	const struct snapshot *snapshot;
	struct dns_name name; /* of the hop that is judged */
};

static void print_name(const char *before, struct slice name, const char *after)
{
	char text[DNS_NAME_TEXT_MAX];
	printf("%s%s%s", before, dns_name_text(name, text), after);
}

/* What an entry says beyond being listed. */
static const char *meaning_of(const struct facet *facet)
{
	static const char *const given[GIVEN_COUNT] = {
		[GIVEN_NOTHING] = "",
		[GIVEN_NXDOMAIN] = ", wants NXDOMAIN",
		[GIVEN_NODATA] = ", wants NODATA",
		[GIVEN_REFUSED] = ", wants REFUSED",
		[GIVEN_DROP] = ", wants DROP",
		[GIVEN_TCP_ONLY] = ", wants TCP only",
		[GIVEN_RECORDS] = ", has records of its own",
	};
	return facet->effect == FACET_LISTED ? given[facet->given] : ", an exception";
}

static void print_found(const char *where, const struct list_line *line)
{
	enum { SHOWN_MAX = 160 };
	char text[4 * SHOWN_MAX];
	struct writer to = writer_of(text, sizeof text - 1);
	escape_text(&to, line->text, SHOWN_MAX);
	text[to.len] = '\0';
	printf(", %s line %u: %s", where, line->number, text);
}

/* The line as it stands in the list now; people look there next. */
static void print_line(const struct telling *telling, const struct rule_match *match)
{
	const struct snapshot *snapshot = telling->snapshot;
	const struct lists_item *item = &snapshot->lists->items[match->list];
	const char *where = item->path ? item->path : "inline";
	size_t most = snapshot->config->list_sources[match->list].max_size;
	struct list_edition edition;
	struct list_line line;
	if (item->origin == LIST_IMAGE) {
		printf(", in %s", item->source);
		return;
	}
	if (!item->path)
		list_edition_take(
			&edition, snapshot->config->policy.lists[match->list].inline_text);
	else if (!list_edition_read(&edition, item->path, most)) {
		printf(", %s cannot be read now", where);
		return;
	}
	if (list_edition_unpack(&edition, most) &&
		list_find_entry(item->format, edition.text,
			policy_entry_name(&match->entry, dns_name_slice(&telling->name)),
			(enum pattern_kind)match->entry.kind,
			policy_facet(snapshot->policy, match->entry.facet), &line))
		print_found(where, &line);
	else
		printf(", not in %s any more", where);
	list_edition_close(&edition);
}

static void print_entry(const struct telling *telling, const struct rule_match *match)
{
	char text[DNS_NAME_TEXT_MAX + 2];
	struct writer to = writer_of(text, sizeof text - 1);
	policy_entry_write_text(&to, &match->entry, dns_name_slice(&telling->name), NULL);
	text[to.len] = '\0';
	printf(": entry \"%s\"", text);
	fputs(meaning_of(policy_facet(telling->snapshot->policy, match->entry.facet)), stdout);
	print_line(telling, match);
}

static const char *outcome_of(
	const struct rule_info *rule, const struct rule_match *match, const struct rule_fit *fit)
{
	if (!fit->list_matched)
		return match->entry.kind ? "no: the entry does not count for it" : "no";
	if (!fit->type_matched)
		return "no: another query type";
	if (!fit->schedule_on)
		return "no: its schedule is off";
	if (match->observed)
		return "matches, observed";
	if (rule->action == ACTION_MONITOR)
		return "matches, recorded";
	return fit->decisive ? "MATCHES and decides" : "would match";
}

static void on_name(void *context, unsigned hop, struct slice name)
{
	struct telling *telling = context;
	telling->name.len = (uint8_t)name.len;
	memcpy(telling->name.wire, name.at, name.len);
	if (hop > 0)
		print_name("answer leads to ", name, "\n");
}

static void print_question(const struct question *question)
{
	char type[16];
	struct writer to = writer_of(type, sizeof type - 1);
	dns_type_write(&to, question->type);
	type[to.len] = '\0';
	print_name("question ", dns_name_slice(&question->name), " ");
	puts(type);
}

static void on_exception(void *context, const struct exception *exception)
{
	(void)context;
	printf("  %-5s exception %u by %s: %s\n", action_name(exception->action), exception->id,
		exception->by, exception->because);
}

static void on_rule(void *context, const struct rule_match *match, const struct rule_fit *fit)
{
	const struct telling *telling = context;
	const struct policy *policy = telling->snapshot->policy;
	const struct rule_info *rule = policy_rule(policy, match->rule);
	printf("  %-5s %s/%s (priority %u, list %s): %s", action_name(rule->action),
		policy_group_name(policy, match->group), rule->name, rule->priority,
		policy_list(policy, match->list)->name, outcome_of(rule, match, fit));
	if (match->entry.kind)
		print_entry(telling, match);
	putchar('\n');
}

static void print_verdict(const struct policy *policy, const struct verdict *verdict)
{
	static const char *const reasons[] = {
		[REASON_NO_MATCH] = "no rule matches",
		[REASON_RULE] = "by rule",
		[REASON_DEFAULT] = "by the view's default action",
		[REASON_FAIL_CLOSED] =
			"the policy cannot be evaluated: SERVFAIL (fail_mode closed)",
		[REASON_FAIL_OPEN] = "the policy cannot be evaluated: let through (fail_mode open)",
		[REASON_REBINDING] = "a private address under a public name",
		[REASON_EXCEPTION] = "by an exception",
	};
	printf("verdict %s",
		verdict->action == ACTION_NONE ? "ALLOW" : action_name(verdict->action));
	if (verdict->action == ACTION_BLOCK)
		printf(" %s", block_response_name(verdict->block_response));
	printf(", %s", reasons[verdict->reason]);
	if (verdict->reason == REASON_RULE)
		printf(" %s/%s", policy_group_name(policy, verdict->match.group),
			policy_rule(policy, verdict->match.rule)->name);
	putchar('\n');
	if (!verdict_is_final(verdict) && verdict->trusted)
		puts("  the names that the answer leads to are trusted");
	else if (!verdict_is_final(verdict))
		puts("  the names that the answer leads to are judged as well");
}

static void print_view(const struct policy *policy, uint16_t view)
{
	const struct view_info *info = policy_view(policy, view);
	printf("view %s (default %s, fail mode %s%s)\n", info->name,
		action_name(info->default_action), info->fail_mode == FAIL_OPEN ? "open" : "closed",
		info->failed ? ", and now in it: a list could not be loaded" : "");
}

static void ignore_record(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
	(void)context;
	(void)type;
	(void)ttl_s;
	(void)rdata;
}

/* What we answer ourselves leads somewhere too. */
static void judge_local(const struct policy *policy, const struct question *question,
	const struct facts *facts, struct verdict *verdict, const struct policy_trace *trace)
{
	uint8_t buffer[4096];
	struct local_answer local;
	struct dns_answer answer;
	const struct dns_query query = { .name = dns_name_slice(&question->name),
		.type = question->type,
		.class = DNS_CLASS_IN };
	if (verdict_is_final(verdict) ||
		!local_data_answer(&local, policy, &query, facts->name, buffer, sizeof buffer))
		return;
	if (dns_answer_open(&answer, local.message) == 0)
		policy_judge_answer(policy, facts, &answer, verdict, trace);
}

/* Who gives the answer to what is not blocked. */
static void print_source(const struct snapshot *snapshot, const struct facts *facts)
{
	struct route route = routes_find(snapshot->routes, facts->view, facts->name);
	const struct config *config = snapshot->config;
	enum special_name special;
	if (policy_local_records(
		    snapshot->policy, facts->name, facts->query_type, ignore_record, NULL))
		puts("answered by local_data");
	else if (ddr_is_ours(facts->name))
		puts("answered here: discovery of designated resolvers");
	else if (!route.is_explicit &&
		special_find(config->special_names, facts->name, facts->query_type, &special))
		printf("answered here: special name (%s)\n", special_name_text(special));
	else if (config->upstream_group_count > 0)
		printf("asked: upstream group %s%s\n", config->upstream_groups[route.group].name,
			route.is_explicit ? ", by a route" : "");
	else
		puts("asked: the system's resolvers");
}

/* Plain DNS comes over TCP as well; it is rare. */
static bool is_datagram(const struct config *config, uint16_t listener)
{
	return listener < config->listener_count &&
		config->listeners[listener].kind == LISTENER_DNS;
}

static int explain(const struct snapshot *snapshot, const struct question *question)
{
	struct policy *policy = snapshot->policy;
	const struct policy_spec *spec = &snapshot->config->policy;
	int64_t now_s = (int64_t)time(NULL);
	struct telling telling = { .snapshot = snapshot };
	const struct policy_trace trace = { .on_name = on_name,
		.on_exception = on_exception,
		.on_rule = on_rule,
		.context = &telling };
	const struct facts facts = { .view = question->view,
		.query_type = question->type,
		.is_datagram = is_datagram(snapshot->config, question->listener),
		.name = dns_name_slice(&question->lower),
		.now_s = now_s,
		.schedules = schedules_on(spec->schedules, spec->schedule_count, now_s) };
	struct verdict verdict;
	if (question->view == POLICY_NO_ID) {
		puts("no view claims this client: REFUSED");
		return EXIT_FINE;
	}
	print_view(policy, question->view);
	print_question(question);
	policy_judge_query(policy, &facts, &verdict, &trace);
	if (!verdict_is_final(&verdict))
		print_source(snapshot, &facts);
	judge_local(policy, question, &facts, &verdict, &trace);
	print_verdict(policy, &verdict);
	return EXIT_FINE;
}

int cli_explain(int argc, char **argv)
{
	struct explain_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	const struct snapshot_parts parts = { .offline = true };
	struct question question = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct snapshot *snapshot = snapshot_load(arguments.file, &parts, &errors);
	if (!snapshot)
		return EXIT_CONFIG;
	code = read_question(&arguments, snapshot, &question);
	if (code == 0)
		code = explain(snapshot, &question);
	snapshot_unref(snapshot);
	return code;
}
