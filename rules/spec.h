/* spec.h - a policy as it was written: plain structs that the configuration fills and
 * policy_build() compiles. Names are resolved to indices by whoever fills them. All memory belongs
 * to the filler and must outlive the build; the policy copies what it keeps. */
#ifndef RULES_SPEC_H
#define RULES_SPEC_H

#include "rules/claims.h"
#include "rules/list.h"
#include "rules/schedule.h"
#include "rules/verdict.h"

struct domain_list_spec {
	const char *name;
	enum list_format format;
	const char *file; /* path as it will be opened; NULL for an inline list, and for one that is
			     fetched */
	struct slice inline_text; /* the inline domains, one a line; of an inline list only */
};

struct rule_spec {
	const char *name;
	uint32_t priority; /* unique within its group */
	enum action action;
	enum block_response block_response;
	struct dns_name override_domain;
	uint32_t override_ttl_s;
	const struct address *addresses; /* BLOCK_ADDRESS: v4 ones answer A, the others AAAA */
	size_t address_count;
	uint16_t list;       /* index into policy_spec.lists */
	uint16_t query_type; /* 0: every type */
	uint8_t schedule;    /* 0: always; else one more than its index in policy_spec.schedules */
	enum redirection redirection;
};

struct rule_group_spec {
	const char *name;
	const struct rule_spec *rules; /* in any order */
	size_t rule_count;
};

struct association_spec {
	uint16_t group;
	uint32_t priority; /* unique within its view */
	bool observe; /* the first rule of the group that matches is recorded, as MONITOR is, and
			 the next group goes on */
};

/* A secret that names a client. The policy knows its digest, nobody the secret. */
struct token_spec {
	const char *name;
	uint8_t sha256[CLAIMS_TOKEN_LEN];
	int64_t until_s; /* seconds since 1970; 0: it does not expire */
};

/* Which records of type HTTPS and SVCB a view's clients get. */
enum svcb_handling {
	SVCB_PASS,
	SVCB_STRIP_ECH, /* without their "ech" (RFC 9848): a network that must see TLS names */
	SVCB_STRIP,     /* none at all: NODATA */
};

/* All that is named of clients must hold; what is not named holds for everybody. */
struct view_spec {
	const char *name;
	const struct network *clients; /* none: every client */
	size_t client_count;
	const uint16_t *listeners; /* indices of listeners; none: every listener */
	size_t listener_count;
	/* Each is a claim as in claims.h. "*" behind the colon is any of that kind; a "*" at the
	 * end of a "uri:" is anything that follows, one at the beginning of a "dns:" or "email:"
	 * one label or one mailbox. "*" alone is any certificate. */
	const char *const *certificates;
	size_t certificate_count;
	const uint16_t *tokens; /* indices of policy_spec.tokens */
	size_t token_count;
	const char *const *paths;
	size_t path_count;
	const char *const *tls_names; /* lower case; "*.dns.example" is any one label more */
	size_t tls_name_count;
	enum svcb_handling svcb;
	enum action default_action; /* ACTION_ALLOW or ACTION_BLOCK */
	enum block_response default_block_response;
	enum fail_mode fail_mode;
	bool rebinding_protection;                   /* see rules/rebinding.h */
	const struct association_spec *associations; /* in any order */
	size_t association_count;
};

/* One record of our own. */
struct local_record_spec {
	struct dns_name name;
	uint16_t type; /* A, AAAA, CNAME, TXT, PTR */
	uint32_t ttl_s;
	struct slice rdata; /* wire, uncompressed */
};

struct policy_spec {
	const struct schedule_spec *schedules;
	size_t schedule_count;
	const struct token_spec *tokens;
	size_t token_count;
	const struct domain_list_spec *lists;
	size_t list_count;
	const struct rule_group_spec *groups;
	size_t group_count;
	const struct view_spec *views;
	size_t view_count;
	const struct local_record_spec *local_records;
	size_t local_record_count;
	const struct dns_name *rebinding_exceptions; /* lower case; each with everything below */
	size_t rebinding_exception_count;
	size_t listener_count;
};

#endif
