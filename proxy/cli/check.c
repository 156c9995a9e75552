/* check.c - reads everything that run would read, and serves nothing. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/cli/cli.h"
#include "proxy/cpu_count.h"
#include "proxy/descriptors.h"
#include "proxy/rights/become.h"
#include "proxy/snapshot.h"

static void print_summary(const struct snapshot *snapshot)
{
	const struct policy *policy = snapshot->policy;
	uint64_t patterns = 0;
	for (size_t i = 0; i < policy_list_count(policy); i++)
		patterns += policy_list(policy, (uint16_t)i)->entry_count;
	printf("%s: good: %zu views, %zu rules, %zu lists with %" PRIu64 " patterns, policy %s\n",
		snapshot->config->file, policy_view_count(policy), policy_rule_count(policy),
		policy_list_count(policy), patterns, snapshot->policy_hash);
	if (snapshot->config->expect_count)
		printf("%s: %zu expectation%s\n", snapshot->config->file,
			snapshot->config->expect_count,
			snapshot->config->expect_count == 1 ? " holds" : "s hold");
}

/* Whether it fits is a matter of the system that it is to run on, so it is not an error here. */
static void warn_of_descriptors(const struct config *config)
{
	size_t limit = descriptors_hard_limit();
	unsigned workers = config->workers ? config->workers : cpu_count();
	struct descriptors need = descriptors_needed(config, workers, limit);
	char text[DESCRIPTORS_TEXT_MAX];
	struct writer to = writer_of(text, sizeof text);
	if (descriptors_fit(&need, limit))
		return;
	descriptors_explain(&to, &need, limit);
	fprintf(stderr, "%s: warning: %.*s\n", config->file, (int)to.len, text);
}

/* Whether it is there matters where it is served, which may be elsewhere. */
static void warn_of_user(const struct config *config)
{
	struct become user;
	char message[BECOME_MESSAGE_MAX];
	if (config->user && become_find(&user, config->user, config->group, message))
		log_warning("rights: %s: started as root, it would end here", message);
}

int cli_check(int argc, char **argv)
{
	const char *file = cli_config_argument(argc, argv);
	if (!file)
		return EXIT_USAGE;
	struct config_errors errors = { 0 };
	struct snapshot_parts parts = { .lists.must_load = true, .wish.unpin = true };
	config_errors_to_stderr(&errors);
	parts.ticket_keys = tls_ticket_keys_new();
	struct snapshot *snapshot = snapshot_load(file, &parts, &errors);
	if (!snapshot)
		fprintf(stderr, "%s: %u error%s\n", file, errors.count,
			errors.count == 1 ? "" : "s");
	else {
		print_summary(snapshot);
		config_log_notes(snapshot->config);
		warn_of_user(snapshot->config);
		cli_lint_warn(snapshot);
		warn_of_descriptors(snapshot->config);
		snapshot_unref(snapshot);
	}
	tls_ticket_keys_free(parts.ticket_keys);
	return snapshot ? EXIT_FINE : EXIT_CONFIG;
}
