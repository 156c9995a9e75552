/* draft.h - what a configuration file says, value by value: types, ranges and words are checked and
 * defaults are filled in, but names are still names, and nobody has compared one setting with
 * another. schema.c says where each key is stored; resolve.c makes the configuration of it. */
#ifndef PROXY_CONFIG_DRAFT_H
#define PROXY_CONFIG_DRAFT_H

#include "proxy/config.h"
#include "proxy/config/setting.h"

/* A word that was not given, or that was wrong. */
enum { DRAFT_NO_WORD = -1 };

/* What every element of a list begins with. */
struct draft_element {
	const struct setting *at;
	bool broken; /* a key in it was wrong: comparisons with others would mislead */
};

/* Elements of one of the structs below. */
struct draft_list {
	void *at;
	size_t count;
};

struct draft_name {
	const struct setting *at;
	const char *text;
};

struct draft_domain {
	const struct setting *at;
	struct dns_name name; /* lower case */
};

struct draft_listener {
	struct draft_element element;
	const char *name; /* NULL: made of protocol and port */
	int kind;
	struct address address;
	unsigned port; /* 0: that of the protocol */
	const char *path;
	struct draft_list proxy_protocol_from; /* struct network */
	struct draft_list forwarded_from;
	bool tls;
	bool json;
};

struct draft_certificate {
	struct draft_element element;
	const char *certificate;
	const char *key;
	const char *ocsp_response;
};

struct draft_upstream {
	struct draft_element element;
	const char *name;
	int protocol;
	struct address address;
	struct draft_list addresses; /* struct address */
	const char *host;
	const char *bootstrap;
	unsigned port; /* 0: that of the protocol */
	unsigned weight;
	const char *tls_name;
	const char *tls_ca;
	struct draft_list tls_pins; /* struct tls_pin */
	const char *path;
	int method;
};

/* How a doh upstream is asked. */
enum draft_method { DRAFT_POST, DRAFT_GET };

struct draft_upstream_group {
	struct draft_element element;
	const char *name;
	struct draft_list upstreams; /* struct draft_name */
	int policy;
};

struct draft_route {
	struct draft_element element;
	struct draft_list domains; /* struct draft_domain */
	const char *upstream_group;
	struct draft_list views; /* struct draft_name */
};

struct draft_domain_list {
	struct draft_element element;
	const char *name;
	struct draft_list domains; /* struct draft_name */
	const char *file;
	const char *source;
	int format;
	unsigned refresh_s;
	size_t max_size;
	unsigned timeout_ms;
	bool allow_private_addresses;
	const char *tls_ca;
	unsigned min_entries;
	unsigned max_shrink; /* 0: that of file or source; the same for growth */
	unsigned max_growth;
	unsigned max_rejected;
	struct draft_list must_contain; /* struct draft_domain */
	struct draft_list must_not_contain;
	const char *sha256;
	const char *minisign_key;
};

struct draft_schedule {
	struct draft_element element;
	const char *name;
	struct draft_list days;  /* struct draft_name, as the next one; none: every day */
	struct draft_list hours; /* none: the whole day */
	const char *time_zone;
};

struct draft_rule {
	struct draft_element element;
	const char *name;
	unsigned priority;
	int action;
	int block_response;
	struct dns_name override_domain;
	unsigned override_ttl_s;
	struct draft_list addresses; /* struct address */
	const char *domain_list;
	uint16_t query_type;
	const char *schedule;
	int redirection;
};

struct draft_rule_group {
	struct draft_element element;
	const char *name;
	struct draft_list rules;
};

struct draft_association {
	struct draft_element element;
	const char *rule_group;
	unsigned priority;
	int mode;
};

/* What an association does. */
enum draft_mode { DRAFT_ENFORCE, DRAFT_OBSERVE };

struct draft_token {
	struct draft_element element;
	const char *name;
	const char *sha256;
	int64_t expires_s; /* 0: never */
};

struct draft_view {
	struct draft_element element;
	const char *name;
	struct draft_list clients;   /* struct network */
	struct draft_list listeners; /* struct draft_name, as the next ones */
	struct draft_list certificates;
	struct draft_list tokens;
	struct draft_list paths;
	struct draft_list tls_names;
	int default_action;
	int default_block_response;
	int fail_mode;
	const char *upstream_group;
	bool rebinding_protection;
	int https_records;
	unsigned max_queries; /* 0: not given */
	struct rate_limit_draft {
		unsigned queries_per_second; /* 0: there is no rate_limit */
		unsigned burst;              /* 0: as queries_per_second */
		unsigned prefix_v4;
		unsigned prefix_v6;
		bool dry_run;
	} rate_limit;
	int log_clients;
	int on_failure[FAILURE_COUNT];
	struct draft_list associations;
};

struct draft_local_record {
	struct draft_element element;
	const char *name;
	int type; /* a DNS type */
	const char *value;
	unsigned ttl_s;
};

struct draft_expect {
	struct draft_element element;
	const char *title;
	const char *view;
	struct address client;
	const char *listener;
	struct dns_name name; /* as written */
	uint16_t type;
	struct draft_list answer; /* struct draft_name */
	int64_t at_s;             /* 0: the time of the test */
	int verdict;
	int block_response;
	const char *rule;
};

struct draft {
	struct draft_element element; /* the root */
	unsigned workers;
	struct draft_list listeners;
	const char *tls_certificate;
	const char *tls_key;
	const char *tls_ocsp_response;
	struct draft_list tls_certificates;
	const char *tls_ticket_keys;
	const char *tls_client_ca;
	const char *tls_client_crl;
	int client_certificates;
	struct draft_list upstreams;
	struct draft_list upstream_groups;
	struct draft_list routes;
	bool special_names[SPECIAL_NAMES];
	bool ddr;
	struct dns_cookies_config dns_cookies;
	struct draft_udp_rate_limit {
		unsigned responses_per_second; /* 0: there is no udp_rate_limit */
		unsigned burst;                /* 0: not given */
		unsigned slip;
		unsigned prefix_v4;
		unsigned prefix_v6;
		struct draft_list exempt; /* struct network */
		bool dry_run;
	} udp_rate_limit;
	int any_queries;
	struct cache_config cache;
	struct draft_list domain_lists;
	unsigned list_rebuild_interval_ms;
	const char *lists_image;
	struct draft_list schedules;
	struct draft_list rule_groups;
	struct draft_list tokens;
	struct draft_list views;
	struct draft_shadow {
		const char *file;
		unsigned share;
		struct draft_list views; /* struct draft_name */
	} shadow;
	unsigned revisions;
	struct draft_list expects;
	struct draft_list rebinding_exceptions; /* struct draft_domain */
	struct draft_list local_data;
	const char *query_log_file;
	int query_log_format;
	const char *query_log_account_id;
	const char *query_log_region;
	size_t query_log_buffer;
	const char *query_log_hash_key_file;
	struct address admin_address;
	unsigned admin_port;
	const char *control_socket;
	const char *state_directory;
	const char *user;
	const char *group;
	struct hardening_config hardening;
	bool allow_open_resolver;
	struct limits_config limits;
};

#endif
