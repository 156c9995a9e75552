/* policy_findings.h - everything that lint has to say of a policy: what rules/policy_lint.h finds,
 * and what only the program around knows: which names are public suffixes, and by which ones
 * clients test their network. Where each stands, and how it is said. For the command line. */
#ifndef PROXY_POLICY_FINDINGS_H
#define PROXY_POLICY_FINDINGS_H

#include "proxy/config.h"
#include "proxy/lists/suffixes.h"
#include "rules/policy_lint.h"

struct policy_findings {
	const struct config *config;
	const struct policy *policy;     /* of that configuration */
	const struct image *image;       /* that the policy looks names up in; may be NULL */
	const struct suffixes *suffixes; /* NULL: none are looked for */
};

/* Tells all of them, by kind. 0 or ERR_NO_MEMORY. */
int policy_findings_each(const struct policy_findings *findings,
	const struct policy_lint_options *options, policy_lint_fn on_finding, void *context);

/* "shadowed" */
const char *policy_finding_name(enum policy_lint_kind kind);
/* It may be meant, or does no harm. */
bool policy_finding_is_note(const struct policy_finding *finding);
/* The place in the configuration; what comes with the program has the configuration's file, and
 * line 0. */
struct config_place policy_finding_place(
	const struct policy_findings *findings, const struct policy_finding *finding);

enum { POLICY_FINDING_MAX = 16384 }; /* bytes that either of these writes at most */

/* One line without the kind. */
void policy_finding_write_text(struct writer *to, const struct policy_findings *findings,
	const struct policy_finding *finding);
/* One JSON object without a newline. */
void policy_finding_write_json(struct writer *to, const struct policy_findings *findings,
	const struct policy_finding *finding);

#endif
