/* policy.h - the firewall: an immutable, compiled snapshot of everything that decides.
 * Steps 4, 5 and 11 of a query's journey. The two judges are pure: facts in, verdict out; no I/O,
 * no allocation, no clock, no lock; live traffic, `check`, `explain` and the tests call the same
 * two. A policy is built by one thread and then read by all; whoever published it frees it when the
 * last reader has left. */
#ifndef RULES_POLICY_H
#define RULES_POLICY_H

#include "dns/answer.h"
#include "rules/exceptions.h"
#include "rules/spec.h"

struct policy;

/* Where the lists of a specification stand in an image. */
struct policy_lists {
	const struct image *image; /* NULL: no list has anything */
	/* For each of spec->lists (inline ones too): its number in the image, or POLICY_NO_ID: it
	 * could not be loaded, views that use it are in their fail mode, and why is in `errors`. */
	const uint16_t *numbers;
	const int *errors;
};

/* Compiles. The image is not copied: it stays until after policy_free(). `lists` itself is only
 * read during the call; it may be NULL when the specification has none.
 * NULL and *error on failure: ERR_NO_MEMORY, ERR_TOO_LONG (more than the limits below, or
 * a word of a view longer than CLAIM_WORD_MAX, claim_keys.h), or ERR_INVALID (an index in the
 * specification, or a list's number, leads nowhere). */
enum { POLICY_LISTS_MAX = 1024, POLICY_RULES_MAX = 16384, POLICY_VIEWS_MAX = 1024 };
struct policy *policy_build(
	const struct policy_spec *spec, const struct policy_lists *lists, int *error);
void policy_free(struct policy *policy);

/* Two views of a specification that claim the same network on the same listener with the same
 * right, and by the same certificate, token, path and TLS name where they name any: a configuration
 * error, as the order in a file must not decide. `network` may be NULL. Different claims that one
 * client can show (a certificate with the names of two views) are no tie.
 * False when there are none (or no memory to look, and then policy_build() has none either); a
 * policy built with a tie prefers the view that was written first. */
bool policy_view_tie(
	const struct policy_spec *spec, uint16_t *a, uint16_t *b, struct network *network);

/* Step 4, the one admission function of all protocols. The view that claims a client: what is most
 * specific wins, in the order certificate, token, path, TLS name, longest client network, listener.
 * All that a view names must hold. Within a kind what is named in full goes before patterns, and a
 * longer pattern before a shorter one. A token that is not good, and a path that no view names, is
 * nobody's: who shows one does not want to be taken for somebody else. The longest client_id is
 * that of the claims. */
struct admission policy_find_view(const struct policy *policy, const struct claims *claims);

/* What a rule may look at. `name` is the question's name in lower-case wire form. */
struct facts {
	uint16_t view;
	uint16_t query_type;
	bool is_datagram; /* the client waits for a datagram: a truncated answer makes it ask over
			     TCP */
	struct slice name;
	int64_t now_s;                       /* wall clock, seconds since 1970: exceptions end */
	uint64_t schedules;                  /* schedules_on() */
	const struct exceptions *exceptions; /* NULL: none */
};

/* How a rule fits what is judged. */
struct rule_fit {
	bool type_matched;
	bool schedule_on;  /* its schedule is on, or it has none */
	bool list_matched; /* its list has an entry that counts for this rule: a PASS does for GIVEN
			      alone, TCP_ONLY only where the client waits for a datagram */
	bool decisive;     /* this ended the evaluation of the hop */
};
static inline bool rule_fits(const struct rule_fit *fit)
{
	return fit->type_matched && fit->schedule_on && fit->list_matched;
}

/* Told of every step when somebody wants to know (explain); NULL for traffic. */
struct policy_trace {
	void (*on_name)(void *context, unsigned hop, struct slice name);
	/* An address of the answer, and who has it; may be NULL. */
	void (*on_address)(void *context, const struct address *address, struct slice owner);
	/* An exception decided about the name told last, before its rules, which are told all the
	 * same; may be NULL. */
	void (*on_exception)(void *context, const struct exception *exception);
	/* One rule in the order of evaluation, for the name or address told last; `default_action`
	 * is not told, verdict.reason says it. `match->entry` is set when the list has an entry
	 * for it, an exception included; `match->observed` when the rule would have decided, if its
	 * association did more than observe. A trace sees the rules after the decisive one as well,
	 * so that all that would have matched are known. */
	void (*on_rule)(void *context, const struct rule_match *match, const struct rule_fit *fit);
	void *context;
};

/* Step 5: judges the question. An exception comes before the rules, and decides even where they
 * cannot be evaluated: ALLOW as a rule with TRUST, BLOCK with the view's default_block_response. */
void policy_judge_query(const struct policy *policy, const struct facts *facts,
	struct verdict *verdict, const struct policy_trace *trace);

/* Step 11: judges the names that an answer leads to: CNAME and DNAME targets along the chain, and
 * HTTPS/SVCB targets; chain.h has the order. `verdict` comes from policy_judge_query() and is made
 * worse only: BLOCK if any inspected hop blocks, else ALERT if one alerts (the first), else what it
 * was. When the hop that matched has TRUST, the names behind it are not judged. Exceptions come
 * before the rules here too; one that lets a name through is noted in verdict.exception. In a view
 * that is open for want of a list they are all that is looked at.
 * An answer that cannot be followed to its end (more than POLICY_HOPS_MAX names, a loop, a name
 * that a DNAME makes too long) and that no hop blocks is a failure and takes the view's fail mode:
 * closed, or open: action and match stay what they were, and the reason is REASON_FAIL_OPEN.
 * Then, where a list of the view has networks, the answer's addresses are judged by the same rules,
 * each on its own; `default_action` is about names alone.
 * Last, where the view has rebinding protection: private addresses of a public name (rebinding.h)
 * block with NODATA; no rule allows them. TRUST for the question's own name allows all: then the
 * answer is not inspected. What addresses local_data has is the operator's own word. */
void policy_judge_answer(const struct policy *policy, const struct facts *facts,
	const struct dns_answer *answer, struct verdict *verdict, const struct policy_trace *trace);

/* What the indices of a verdict mean. Texts live as long as the policy. An index that is none
 * (POLICY_NO_ID) gives NULL. Rules are numbered by group and then by priority. */
struct rule_info {
	const char *name;
	uint16_t group;
	uint16_t list;
	uint32_t priority;
	enum action action;
	enum block_response block_response;
	enum redirection redirection;
	uint16_t query_type;
	uint8_t schedule; /* 0: always; else one more than its index in the specification */
	struct slice override_domain;
	uint32_t override_ttl_s;
	const struct address *addresses;
	size_t address_count;
};
const struct rule_info *policy_rule(const struct policy *policy, uint16_t rule);
/* What a rule that matched does: its action, or for GIVEN what the entry wants. */
enum action policy_match_action(const struct policy *policy, const struct rule_match *match);
size_t policy_rule_count(const struct policy *policy);
const char *policy_group_name(const struct policy *policy, uint16_t group);

struct list_info {
	const char *name;
	const char *file; /* NULL when inline */
	enum list_format format;
	uint16_t number;        /* in the image; POLICY_NO_ID: it could not be loaded ... */
	int error;              /* ... and why; what follows is 0 then */
	uint64_t entry_count;   /* distinct ones that are looked up */
	uint64_t covered_count; /* that another entry covers */
	uint64_t reject_counts[LIST_REJECT_COUNT];
	bool has_networks;
};
const struct list_info *policy_list(const struct policy *policy, uint16_t list);
size_t policy_list_count(const struct policy *policy);

struct view_info {
	const char *name;
	enum action default_action;
	enum block_response default_block_response;
	enum fail_mode fail_mode;
	bool rebinding_protection;
	enum svcb_handling svcb;
	bool failed;       /* a list that it uses to decide could not be loaded */
	bool enforces;     /* it can block: by a group that does more than observe, or by default */
	bool has_networks; /* a list that it uses has some: addresses of answers are judged */
	const struct association_spec *associations; /* by priority */
	size_t association_count;
};
const struct view_info *policy_view(const struct policy *policy, uint16_t view);
size_t policy_view_count(const struct policy *policy);

/* What an entry says beyond its name; lives as long as the policy. */
const struct facet *policy_facet(const struct policy *policy, uint16_t facet);

/* An entry's name: a suffix of the name (lower case) that it was found for. Not of a network. */
struct slice policy_entry_name(const struct list_entry *entry, struct slice name);
/* "*.example.com." or "example.com."; for PATTERN_BOTH the name alone, for "*" it is "*.". `name`
 * in any case. Of a network "192.0.2.0/24"; it takes `address` (else NULL is fine). */
void policy_entry_write_text(struct writer *to, const struct list_entry *entry, struct slice name,
	const struct address *address);

/* Has `name` (lower case) records of our own (local_data)? */
bool policy_local_has(const struct policy *policy, struct slice name);

/* Our own records. True when `name` (lower case) has any; then those of `type` (CNAME
 * always; for type ANY all) are told one by one, in the order in which they were written. */
bool policy_local_records(const struct policy *policy, struct slice name, uint16_t type,
	void (*on_record)(void *context, uint16_t type, uint32_t ttl_s, struct slice rdata),
	void *context);

/* Bytes of memory that the policy holds, without the image. */
size_t policy_memory(const struct policy *policy);

#endif
