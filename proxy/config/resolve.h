/* resolve.h - from a draft to a configuration: names become indices, and settings are compared with
 * one another. Everything that is wrong is told; what is built then is of no use. */
#ifndef PROXY_CONFIG_RESOLVE_H
#define PROXY_CONFIG_RESOLVE_H

#include "proxy/config/draft.h"
#include "proxy/config/names.h"

struct resolve {
	const struct draft *draft;
	struct config *config;
	struct config_errors *errors;
	struct arena *scratch; /* for the time of the resolving */
	/* Those of config->policy; each with room for one of ours behind those of the file, which
	 * has a name (see builtin.h) and counts only when somebody refers to it. */
	struct domain_list_spec *lists;
	struct rule_group_spec *groups;
	struct names listeners;
	struct names domain_lists;
	struct names schedules;
	struct names rule_groups;
	struct names upstream_groups;
	struct names tokens;
	struct names views;
	bool no_memory;
};

/* By what two views claim the same clients; empty: by the network alone. */
struct view_tie_text {
	char text[160];
};

void resolve_draft(struct resolve *resolve);

/* Its parts, in this order. */
void resolve_endpoints(struct resolve *resolve);  /* listeners, tls, admin */
void resolve_datagrams(struct resolve *resolve);  /* dns_cookies, udp_rate_limit */
void resolve_upstreams(struct resolve *resolve);  /* upstreams, upstream_groups */
void resolve_lists(struct resolve *resolve);      /* domain_lists */
void resolve_schedules(struct resolve *resolve);  /* schedules */
void resolve_rules(struct resolve *resolve);      /* rule_groups */
void resolve_tokens(struct resolve *resolve);     /* tokens */
void resolve_views(struct resolve *resolve);      /* views */
void resolve_routes(struct resolve *resolve);     /* routes, rebinding_exceptions */
void resolve_builtins(struct resolve *resolve);   /* what of ours the rules refer to */
void resolve_local_data(struct resolve *resolve); /* local_data */
void resolve_expects(struct resolve *resolve);    /* expect */

/* The answers in expectations: `answer` of each, of `question` and `type`. */
void resolve_expect_answers(struct resolve *resolve, const struct draft_expect *from,
	struct expect_config *to, size_t count);

/* The parts of a view. Who it claims: certificates, tokens, paths, tls_names; whether two claim
 * alike in these, and by which (a text such as `token "tablet"`); and whether strangers are kept
 * out by a secret. */
void resolve_view_identity(
	struct resolve *resolve, const struct draft_view *from, struct view_spec *to);
bool view_identity_ties(const struct resolve *resolve, const struct view_spec *a,
	const struct view_spec *b, struct view_tie_text *by);
bool view_identity_is_secret(const struct view_spec *view);
/* Can what it names be shown to such a listener? */
bool view_identity_fits(const struct view_spec *view, enum listener_kind kind);
/* Rate limit, log privacy, and what happens when something fails. */
void resolve_view_conduct(struct resolve *resolve, const struct draft_view *from,
	struct view_spec *to, struct view_config *conduct);
void resolve_places(struct resolve *resolve); /* where all these stand */

/* Zeroed memory of the configuration. */
void *resolve_take(struct resolve *resolve, size_t count, size_t size);

/* Indices of the things that are named, those that there are; `count` of them. */
uint16_t *resolve_references(struct resolve *resolve, const struct draft_list *references,
	const struct names *names, size_t *count);

/* Does one of them have its addresses looked up by the one at `index`? */
bool upstreams_have_bootstrap(const struct upstream_config *upstreams, size_t count, size_t index);

/* 127.0.0.0/8 or ::1: only this machine can come from or go to there. */
bool resolve_is_loopback(const struct address *address);

/* Is it one of ours? Asking ourselves would go round in circles. NULL when it is not. */
const struct draft_listener *resolve_own_listener(
	struct resolve *resolve, const struct address *address, uint16_t port, const char **name);

/* `key` of an element: told there when it was given, else at the element. */
#define problem_with(resolve, element_of, key, ...)                                                \
	problem_in((resolve)->errors, setting_child_or_self((element_of)->element.at, key),        \
		__VA_ARGS__)

/* Was the key written down? */
#define is_given(element_of, key) (setting_child((element_of)->element.at, key) != NULL)

#endif
