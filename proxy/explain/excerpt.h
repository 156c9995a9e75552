/* excerpt.h - a policy in small: one view, its rules, and of its lists only what is about the names
 * and addresses of one question and its answer. It decides about them as the whole does, and is
 * built in no time; so a change can be tried on it before it is told. For the command line: lists
 * are read again, for their lines. */
#ifndef PROXY_EXPLAIN_EXCERPT_H
#define PROXY_EXPLAIN_EXCERPT_H

#include "proxy/explain/explain.h"

/* What a line of a list says that is about us. */
struct excerpt_pattern {
	struct dns_name name; /* len 0: a network */
	enum pattern_kind kind;
	struct network network;
	struct facet facet;
	uint32_t line; /* 0: not known */
	const char *text;
};

struct excerpt_list {
	struct excerpt_pattern *patterns;
	size_t count;
	size_t capacity;
	bool is_current;     /* of the text in force, line by line */
	const char *missing; /* why there are no lines */
};

enum { EXCERPT_NAMES_MAX = POLICY_HOPS_MAX + 1, EXCERPT_ADDRESSES_MAX = 1024 };

struct excerpt {
	const struct explain_world *world;
	const struct explain_outcome *outcome;
	struct arena memory;
	struct dns_name names[EXCERPT_NAMES_MAX];
	size_t name_count;
	struct address *addresses;
	size_t address_count;
	struct excerpt_list *lists; /* by index of the policy */
	size_t list_count;
	bool failed; /* out of memory */
};

/* Something else than what is written. Zeroed it is nothing. */
enum { TWEAK_LINES_MAX = 16 };
struct excerpt_tweak {
	uint16_t list;                   /* of the lines that go, or the text that comes */
	uint32_t lines[TWEAK_LINES_MAX]; /* that go */
	unsigned line_count;
	const char *text;             /* a line more, in the list's format; NULL: none */
	const struct rule_spec *rule; /* a rule more; its list is a new one */
	const char *domain;           /* of the new list */
	uint16_t group;               /* of the rule; POLICY_NO_ID: a new one ... */
	uint32_t association;         /* ... with this priority in the view */
	const struct dns_name *rebinding_exception; /* one more */
	bool is_open;                               /* fail_mode "open" */
};

/* Reads the lists that have anything about the names and addresses. Zeroed memory can be closed.
 * False when out of memory. */
bool excerpt_open(struct excerpt *excerpt, const struct explain_world *world,
	const struct explain_outcome *outcome);
void excerpt_close(struct excerpt *excerpt);

/* Judges the question, and the answer if there is one, with or without (NULL) a change. 0 or an
 * error. The indices in the verdict are those of the policy, a new rule's aside. */
int excerpt_judge(
	struct excerpt *excerpt, const struct excerpt_tweak *tweak, struct verdict *verdict);

/* Finds the line of each entry in the trace. */
void excerpt_find_lines(const struct excerpt *excerpt, struct trace *trace);

/* The list of that name; POLICY_NO_ID when there is none. */
uint16_t excerpt_find_list(const struct excerpt *excerpt, const char *name);

#endif
