/* snapshot.h - everything that a reload replaces at once: configuration, policy, certificate.
 * Built off the loops by one thread, immutable once published, reference-counted between threads
 * (each worker counts its own readers, see epoch in worker.h). */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H

#include <stdatomic.h>

#include "dns/cookie.h"
#include "proxy/config.h"
#include "proxy/lists/lists.h"
#include "proxy/query/ddr.h"
#include "proxy/query/routes.h"
#include "proxy/revisions/revisions_live.h"
#include "proxy/upstream_plan.h"
#include "proxy/watch/metrics.h"
#include "rules/policy.h"
#include "tls/context.h"

struct shadow;

struct snapshot {
	_Atomic unsigned references;
	struct upstream_plan *upstreams; /* holds the configuration */
	struct config *config;
	struct lists *lists; /* what the policy looks names up in */
	struct policy *policy;
	struct tls_context *tls; /* NULL when no listener needs it */
	struct routes *routes;
	struct ddr *ddr; /* NULL when offline */
	struct dns_cookie_secrets cookie_secrets;
	uint32_t revision;    /* see revisions_go_live() */
	uint32_t kept;        /* the kept revision that the configuration comes from; 0: the file */
	char policy_hash[33]; /* of the configuration's text and of what every list says */
	/* Metric labels by index of the policy and the configuration. */
	uint16_t *view_labels;
	uint16_t *rule_labels;
	struct shadow *shadow; /* a candidate that is judged beside it; NULL: none */
	struct snapshot *base; /* of a copy: all but shadow, tls and ddr is its; NULL: ours */
};

struct snapshot_parts {
	struct metrics_registry *labels; /* NULL: no labels are taken (check, explain) */
	struct tls_ticket_keys *ticket_keys;
	const struct tls_context *tls_in_force; /* a good certificate of it is not replaced by one
						   that has expired; or NULL */
	/* Of this run, where no file has others; NULL: some by chance. */
	const struct dns_cookie_secrets *cookie_secrets;
	struct lists_options lists;
	const struct config *in_force; /* what needs a restart to differ from is refused; or NULL */
	const char *config_hash; /* what is loaded must still be this; NULL: anything may come */
	struct revisions_wish wish;
	bool offline; /* explain, compile: neither certificate nor upstreams are looked at */
};

/* Loads the configuration, the lists and the certificate. NULL when something is wrong; all that is
 * wrong has been told to `errors`. Rejected list lines are warnings in the log. */
struct snapshot *snapshot_load(
	const char *file, const struct snapshot_parts *parts, struct config_errors *errors);

/* The same configuration, certificate and upstreams as in another snapshot, with the lists loaded
 * again: a list that has changed must not bring half of a configuration file into force that
 * somebody is editing. `before` stays until this ends. */
struct snapshot *snapshot_load_lists(const struct snapshot *before,
	const struct snapshot_parts *parts, struct config_errors *errors);

/* The same in force, under the same revision, with this shadow (NULL: without one), which is taken
 * over. NULL when out of memory; then it is let go. */
struct snapshot *snapshot_with_shadow(struct snapshot *in_force, struct shadow *shadow);

/* The same with these certificates, and what is said of them (`ddr`). The shadow is taken over as
 * above, of `tls` a reference of its own. */
struct snapshot *snapshot_with_tls(
	struct snapshot *in_force, struct tls_context *tls, struct shadow *shadow);

/* What the certificates of a configuration are read from; lives as long as it. */
struct tls_context_files snapshot_tls_files(const struct config *config);

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

#endif
