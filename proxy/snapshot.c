#include "proxy/snapshot.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/client_health.h"
#include "proxy/cookie_file.h"
#include "proxy/expect_gate.h"
#include "proxy/policy_load.h"
#include "proxy/shadow/shadow.h"
#include "proxy/upstream/system_resolvers.h"

static void snapshot_free(struct snapshot *snapshot)
{
	shadow_unref(snapshot->shadow);
	tls_context_unref(snapshot->tls);
	ddr_unref(snapshot->ddr);
	explicit_bzero(&snapshot->cookie_secrets, sizeof snapshot->cookie_secrets);
	if (snapshot->base) {
		snapshot_unref(snapshot->base);
		free(snapshot);
		return;
	}
	policy_free(snapshot->policy);
	lists_unref(snapshot->lists);
	routes_free(snapshot->routes);
	upstream_plan_unref(snapshot->upstreams);
	free(snapshot->view_labels);
	free(snapshot->rule_labels);
	free(snapshot);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1)
		snapshot_free(snapshot);
}

struct snapshot *snapshot_with_shadow(struct snapshot *in_force, struct shadow *shadow)
{
	struct snapshot *copy = malloc(sizeof *copy);
	if (!copy) {
		shadow_unref(shadow);
		return NULL;
	}
	*copy = *in_force;
	atomic_init(&copy->references, 1);
	copy->base = snapshot_ref(in_force->base ? in_force->base : in_force);
	copy->shadow = shadow;
	copy->tls = in_force->tls ? tls_context_ref(in_force->tls) : NULL;
	copy->ddr = in_force->ddr ? ddr_ref(in_force->ddr) : NULL;
	return copy;
}

static struct ddr *load_ddr(const struct config *config, const struct tls_context *tls)
{
	char reason[DDR_REASON_MAX];
	struct ddr *ddr = ddr_new(config, tls, reason);
	if (config->ddr && ddr && *reason)
		log_warning("ddr: nothing is said: %s", reason);
	return ddr;
}

struct snapshot *snapshot_with_tls(
	struct snapshot *in_force, struct tls_context *tls, struct shadow *shadow)
{
	struct ddr *ddr = load_ddr(in_force->config, tls);
	struct snapshot *copy = snapshot_with_shadow(in_force, shadow);
	if (!copy || !ddr) {
		ddr_unref(ddr);
		if (copy)
			snapshot_unref(copy);
		return NULL;
	}
	tls_context_unref(copy->tls);
	ddr_unref(copy->ddr);
	copy->tls = tls_context_ref(tls);
	copy->ddr = ddr;
	return copy;
}

struct tls_context_files snapshot_tls_files(const struct config *config)
{
	return (struct tls_context_files){ .certificates = config->tls_certificates,
		.certificate_count = config->tls_certificate_count,
		.client_ca = config->tls_client_ca,
		.client_crl = config->tls_client_crl,
		.client_required = config->client_certificates == CLIENT_CERTIFICATES_REQUIRED,
		.ticket_keys = config->tls_ticket_keys };
}

static bool load_tls(
	struct snapshot *snapshot, const struct snapshot_parts *parts, struct config_errors *errors)
{
	const struct config *config = snapshot->config;
	char message[TLS_MESSAGE_MAX];
	if (parts->offline || !config->tls_certificate_count)
		return true;
	const struct tls_context_files files = snapshot_tls_files(config);
	snapshot->tls =
		tls_context_load_files(&files, parts->tls_in_force, parts->ticket_keys, message);
	if (snapshot->tls)
		return true;
	errors->count++;
	errors->on_error(errors->context, config->file, 0, "tls", message);
	return false;
}

static bool load_cookie_secrets(
	struct snapshot *snapshot, const struct snapshot_parts *parts, struct config_errors *errors)
{
	const struct config *config = snapshot->config;
	const char *file = config->dns_cookies.secret_file;
	char message[COOKIE_FILE_MESSAGE_MAX];
	if (parts->cookie_secrets)
		snapshot->cookie_secrets = *parts->cookie_secrets;
	else
		cookie_secrets_random(&snapshot->cookie_secrets);
	if (parts->offline || !file || cookie_file_load(&snapshot->cookie_secrets, file, message))
		return true;
	errors->count++;
	errors->on_error(errors->context, config->file, 0, "dns_cookies.secret_file", message);
	return false;
}

/* Where questions go, and what is said about ourselves. */
static bool load_names(struct snapshot *snapshot, bool offline)
{
	uint64_t salt;
	random_fill(&salt, sizeof salt);
	snapshot->routes = routes_new(snapshot->config, salt);
	if (offline)
		return snapshot->routes != NULL;
	snapshot->ddr = load_ddr(snapshot->config, snapshot->tls);
	return snapshot->routes && snapshot->ddr;
}

static bool take_labels(struct snapshot *snapshot, struct metrics_registry *labels)
{
	const struct policy *policy = snapshot->policy;
	size_t views = policy_view_count(policy);
	size_t rules = policy_rule_count(policy);
	snapshot->view_labels = calloc(views + 1, sizeof *snapshot->view_labels);
	snapshot->rule_labels = calloc(rules + 1, sizeof *snapshot->rule_labels);
	if (!snapshot->view_labels || !snapshot->rule_labels)
		return false;
	for (size_t i = 0; i < views; i++)
		snapshot->view_labels[i] =
			metrics_view_id(labels, policy_view(policy, (uint16_t)i)->name);
	for (size_t i = 0; i < rules; i++) {
		const struct rule_info *rule = policy_rule(policy, (uint16_t)i);
		snapshot->rule_labels[i] = metrics_rule_id(
			labels, policy_group_name(policy, rule->group), rule->name, rule->action);
	}
	return true;
}

/* A policy that was kept has been in force: what it was good for then it is good for now, and the
 * way back must not be closed. */
static bool are_expected(const struct snapshot *snapshot, const struct snapshot_parts *parts)
{
	bool may_come = !parts->offline || parts->lists.is_aside;
	return may_come && !snapshot->kept && snapshot->config->expect_count > 0;
}

/* `before`: of the same configuration, in force; or NULL. */
static bool load_policy(struct snapshot *snapshot, const struct snapshot_parts *parts,
	const struct policy *before, struct config_errors *errors)
{
	struct lists_options options = parts->lists;
	options.keep =
		options.keep && errors->count == 0; /* it comes into force, or leaves no trace */
	options.may_miss = snapshot->kept != 0;
	char known[REVISION_HASH_MAX];
	const char *state_directory = snapshot->config->state_directory;
	bool has_known = !parts->offline && revisions_newest_hash(state_directory, known);
	struct expect_gate gate = { .config = snapshot->config,
		.known = has_known ? known : NULL,
		.before = before,
		.errors = errors,
		.now_s = (int64_t)time(NULL) };
	if (are_expected(snapshot, parts)) {
		options.holds = expect_gate_holds;
		options.context = &gate;
	}
	snapshot->lists = lists_load(snapshot->config, &options, errors);
	if (!snapshot->lists)
		return false;
	snapshot->policy =
		policy_load(snapshot->config, snapshot->lists, snapshot->policy_hash, errors);
	if (snapshot->policy && !parts->offline)
		client_health_warn(snapshot->policy);
	return snapshot->policy != NULL;
}

static bool finish(struct snapshot *snapshot, const struct snapshot_parts *parts)
{
	return load_names(snapshot, parts->offline) &&
		(!parts->labels || take_labels(snapshot, parts->labels));
}

static bool load_parts(
	struct snapshot *snapshot, const struct snapshot_parts *parts, struct config_errors *errors)
{
	/* All, so that all errors are told at once. */
	bool tls = load_tls(snapshot, parts, errors);
	bool cookies = load_cookie_secrets(snapshot, parts, errors);
	bool upstreams = parts->offline ||
		(upstream_plan_find(snapshot->upstreams, errors) &&
			upstream_plan_load(snapshot->upstreams, errors));
	bool policy = load_policy(snapshot, parts, NULL, errors);
	return tls && cookies && upstreams && policy && finish(snapshot, parts);
}

/* Takes a reference of the plan over. */
static struct snapshot *snapshot_new(struct upstream_plan *upstreams)
{
	struct snapshot *snapshot = upstreams ? calloc(1, sizeof *snapshot) : NULL;
	if (!snapshot) {
		if (upstreams)
			upstream_plan_unref(upstreams);
		return NULL;
	}
	snapshot->upstreams = upstreams;
	snapshot->config = upstreams->config;
	atomic_init(&snapshot->references, 1);
	return snapshot;
}

struct snapshot *snapshot_load_lists(const struct snapshot *before,
	const struct snapshot_parts *parts, struct config_errors *errors)
{
	struct snapshot *snapshot = snapshot_new(upstream_plan_ref(before->upstreams));
	if (!snapshot)
		return NULL;
	snapshot->tls = before->tls ? tls_context_ref(before->tls) : NULL;
	snapshot->cookie_secrets = before->cookie_secrets;
	snapshot->kept = before->kept;
	if (load_policy(snapshot, parts, before->policy, errors) && finish(snapshot, parts))
		return snapshot;
	snapshot_free(snapshot);
	return NULL;
}

/* Before anything is read that takes long, or written. */
static bool may_follow(const struct snapshot_parts *parts, const struct config *config)
{
	const struct config *in_force = parts->in_force;
	const char *setting = in_force ? config_needs_restart(in_force, config) : NULL;
	if (parts->config_hash && strcmp(parts->config_hash, config->hash) != 0) {
		log_error("reload: %s: it is not any more what was loaded before", config->file);
		return false;
	}
	if (setting)
		log_error("reload: %s: \"%s\" has changed, which needs a restart", config->file,
			setting);
	return !setting;
}

static bool has_token(const struct policy_spec *policy, const struct token_spec *token)
{
	for (size_t i = 0; i < policy->token_count; i++)
		if (memcmp(policy->tokens[i].sha256, token->sha256, sizeof token->sha256) == 0)
			return true;
	return false;
}

/* What was taken out to lock somebody out is in what was kept before. */
static void tell_tokens(const struct config *in_force, const struct config *kept, uint32_t number)
{
	for (size_t i = 0; i < kept->policy.token_count; i++)
		if (!has_token(&in_force->policy, &kept->policy.tokens[i]))
			log_warning("reload: revision %u takes the token \"%s\", which was not "
				    "taken before",
				number, kept->policy.tokens[i].name);
}

struct snapshot *snapshot_load(
	const char *file, const struct snapshot_parts *parts, struct config_errors *errors)
{
	uint32_t kept = 0;
	struct config *config = parts->offline
		? config_load(file, errors)
		: revisions_choose(file, &parts->wish, &kept, errors);
	if (!config || !may_follow(parts, config)) {
		config_free(config);
		return NULL;
	}
	if (kept && parts->in_force)
		tell_tokens(parts->in_force, config, kept);
	struct snapshot *snapshot = snapshot_new(upstream_plan_new(config));
	if (!snapshot)
		return NULL;
	snapshot->kept = kept;
	if (load_parts(snapshot, parts, errors))
		return snapshot;
	snapshot_free(snapshot);
	return NULL;
}
