#include "proxy/config/schema.h"

#include "dns/types.h"
#include "proxy/config/url.h"
#include "rules/policy.h"

#include <limits.h>

enum {
	KIB = 1024,
	MIB = 1024 * KIB,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	MINUTE_S = 60,
	HOUR_S = 3600,
	TTL_MAX_S = 604800, /* as Route 53 has it for override TTLs, and DNS_TTL_MAX_S */
	NAME_LEN_MAX = 64,
	FILE_LEN_MAX = 4095,
	USER_LEN_MAX = 32,    /* as useradd(8) has it */
	SOCKET_LEN_MAX = 107, /* sun_path without its NUL */
};

/* The spelling of rules/ (action_parse() and the like); a test compares them. */
static const struct schema_word actions[] = {
	{ "ALLOW", ACTION_ALLOW, false },
	{ "ALERT", ACTION_ALERT, false },
	{ "BLOCK", ACTION_BLOCK, false },
	{ "MONITOR", ACTION_MONITOR, false },
	{ "GIVEN", ACTION_GIVEN, false },
	{ 0 },
};
static const struct schema_word default_actions[] = {
	{ "ALLOW", ACTION_ALLOW, false },
	{ "BLOCK", ACTION_BLOCK, false },
	{ 0 },
};
static const struct schema_word block_responses[] = {
	{ "NODATA", BLOCK_NODATA, false },
	{ "NXDOMAIN", BLOCK_NXDOMAIN, false },
	{ "OVERRIDE", BLOCK_OVERRIDE, false },
	{ "REFUSED", BLOCK_REFUSED, false },
	{ "DROP", BLOCK_DROP, false },
	{ "ADDRESS", BLOCK_ADDRESS, false },
	{ 0 },
};
/* Without those that need more than a word. */
static const struct schema_word default_block_responses[] = {
	{ "NODATA", BLOCK_NODATA, false },
	{ "NXDOMAIN", BLOCK_NXDOMAIN, false },
	{ "REFUSED", BLOCK_REFUSED, false },
	{ "DROP", BLOCK_DROP, false },
	{ 0 },
};
static const struct schema_word redirections[] = {
	{ "INSPECT", REDIRECTION_INSPECT, false },
	{ "TRUST", REDIRECTION_TRUST, false },
	{ "INSPECT_REDIRECTION_DOMAIN", REDIRECTION_INSPECT, true },
	{ "TRUST_REDIRECTION_DOMAIN", REDIRECTION_TRUST, true },
	{ 0 },
};
static const struct schema_word fail_modes[] = {
	{ "closed", FAIL_CLOSED, false },
	{ "open", FAIL_OPEN, false },
	{ 0 },
};
static const struct schema_word client_certificates[] = {
	{ "optional", CLIENT_CERTIFICATES_OPTIONAL, false },
	{ "required", CLIENT_CERTIFICATES_REQUIRED, false },
	{ 0 },
};
static const struct schema_word verdicts[] = {
	{ "ALLOW", ACTION_ALLOW, false },
	{ "ALERT", ACTION_ALERT, false },
	{ "BLOCK", ACTION_BLOCK, false },
	{ 0 },
};
/* With those that only an entry can want. */
static const struct schema_word expected_block_responses[] = {
	{ "NODATA", BLOCK_NODATA, false },
	{ "NXDOMAIN", BLOCK_NXDOMAIN, false },
	{ "OVERRIDE", BLOCK_OVERRIDE, false },
	{ "REFUSED", BLOCK_REFUSED, false },
	{ "DROP", BLOCK_DROP, false },
	{ "ADDRESS", BLOCK_ADDRESS, false },
	{ "TRUNCATE", BLOCK_TRUNCATE, false },
	{ "RECORDS", BLOCK_RECORDS, false },
	{ 0 },
};
static const struct schema_word modes[] = {
	{ "enforce", DRAFT_ENFORCE, false },
	{ "observe", DRAFT_OBSERVE, false },
	{ 0 },
};
static const struct schema_word https_records[] = {
	{ "pass", SVCB_PASS, false },
	{ "strip_ech", SVCB_STRIP_ECH, false },
	{ "strip", SVCB_STRIP, false },
	{ 0 },
};
static const struct schema_word log_clients[] = {
	{ "full", LOG_CLIENTS_FULL, false },
	{ "truncated", LOG_CLIENTS_TRUNCATED, false },
	{ "hashed", LOG_CLIENTS_HASHED, false },
	{ "omitted", LOG_CLIENTS_OMITTED, false },
	{ 0 },
};
static const struct schema_word lists_failures[] = {
	{ "last_good", ON_FAILURE_LAST_GOOD, false },
	{ "closed", ON_FAILURE_CLOSED, false },
	{ "open", ON_FAILURE_OPEN, false },
	{ 0 },
};
static const struct schema_word answer_failures[] = {
	{ "stale", ON_FAILURE_STALE, false },
	{ "closed", ON_FAILURE_CLOSED, false },
	{ 0 },
};
static const struct schema_word log_failures[] = {
	{ "open", ON_FAILURE_OPEN, false },
	{ "closed", ON_FAILURE_CLOSED, false },
	{ 0 },
};
static const struct schema_word list_formats[] = {
	{ "domains", LIST_DOMAINS, false },
	{ "hosts", LIST_HOSTS, false },
	{ "wildcard", LIST_WILDCARD, false },
	{ "adblock", LIST_ADBLOCK, false },
	{ "dnsmasq", LIST_DNSMASQ, false },
	{ "unbound", LIST_UNBOUND, false },
	{ "bind", LIST_BIND, false },
	{ "dnscrypt", LIST_DNSCRYPT, false },
	{ "rpz", LIST_RPZ, false },
	{ "networks", LIST_NETWORKS, false },
	{ 0 },
};
static const struct schema_word listener_kinds[] = {
	{ "doh", LISTENER_DOH, false },
	{ "dot", LISTENER_DOT, false },
	{ "dns", LISTENER_DNS, false },
	{ 0 },
};
static const struct schema_word upstream_protocols[] = {
	{ "dns", UPSTREAM_DNS, false },
	{ "dot", UPSTREAM_DOT, false },
	{ "doh", UPSTREAM_DOH, false },
	{ 0 },
};
static const struct schema_word methods[] = {
	{ "POST", DRAFT_POST, false },
	{ "GET", DRAFT_GET, false },
	{ 0 },
};
static const struct schema_word upstream_policies[] = {
	{ "ordered", UPSTREAM_ORDERED, false },
	{ "fastest", UPSTREAM_FASTEST, false },
	{ "weighted", UPSTREAM_WEIGHTED, false },
	{ "parallel", UPSTREAM_PARALLEL, false },
	{ 0 },
};
static const struct schema_word any_queries[] = {
	{ "minimal", ANY_MINIMAL, false },
	{ "forward", ANY_FORWARD, false },
	{ 0 },
};
static const struct schema_word query_log_formats[] = {
	{ "namegate", QUERY_LOG_NAMEGATE, false },
	{ "aws", QUERY_LOG_AWS, false },
	{ 0 },
};
static const struct schema_word local_types[] = {
	{ "A", DNS_TYPE_A, false },
	{ "AAAA", DNS_TYPE_AAAA, false },
	{ "CNAME", DNS_TYPE_CNAME, false },
	{ "TXT", DNS_TYPE_TXT, false },
	{ "PTR", DNS_TYPE_PTR, false },
	{ 0 },
};

/* In the order of the reference. */
/* clang-format off */
#define ROW(key_path, key_type, holder, field, ...) \
	{ .path = (key_path), .type = SCHEMA_##key_type, .offset = offsetof(holder, field), \
	  __VA_ARGS__ }
#define ROOT(key, kind, ...) \
	ROW(key, kind, struct draft, __VA_ARGS__)
#define LISTENER(key, kind, ...) \
	ROW("listeners[]." key, kind, struct draft_listener, __VA_ARGS__, .restart = true)
#define CERTIFICATE(key, kind, ...) \
	ROW("tls.certificates[]." key, kind, struct draft_certificate, __VA_ARGS__)
#define UPSTREAM(key, kind, ...) \
	ROW("upstreams[]." key, kind, struct draft_upstream, __VA_ARGS__)
#define GROUP(key, kind, ...) \
	ROW("upstream_groups[]." key, kind, struct draft_upstream_group, __VA_ARGS__)
#define ROUTE(key, kind, ...) \
	ROW("routes[]." key, kind, struct draft_route, __VA_ARGS__)
#define SPECIAL(key, which, on) \
	ROOT("special_names." key, BOOL, special_names[which], .preset = (on))
#define DOMAIN_LIST(key, kind, ...) \
	ROW("domain_lists[]." key, kind, struct draft_domain_list, __VA_ARGS__)
#define SCHEDULE(key, kind, ...) \
	ROW("schedules[]." key, kind, struct draft_schedule, __VA_ARGS__)
#define RULE_GROUP(key, kind, ...) \
	ROW("rule_groups[]." key, kind, struct draft_rule_group, __VA_ARGS__)
#define RULE(key, kind, ...) \
	ROW("rule_groups[].rules[]." key, kind, struct draft_rule, __VA_ARGS__)
#define TOKEN(key, kind, ...) \
	ROW("tokens[]." key, kind, struct draft_token, __VA_ARGS__)
#define VIEW(key, kind, ...) \
	ROW("views[]." key, kind, struct draft_view, __VA_ARGS__)
#define ASSOCIATION(key, kind, ...) \
	ROW("views[].associations[]." key, kind, struct draft_association, __VA_ARGS__)
#define EXPECT(key, kind, ...) \
	ROW("expect[]." key, kind, struct draft_expect, __VA_ARGS__)
#define LOCAL_RECORD(key, kind, ...) \
	ROW("local_data[]." key, kind, struct draft_local_record, __VA_ARGS__)

#define RANGE(from, to) .least = (from), .most = (to)
#define OF(element)     .size = sizeof(element)

const struct schema_key schema_keys[] = {
	ROOT("workers", NUMBER, workers, .preset = "0", .restart = true, RANGE(0, 256)),

	ROOT("listeners", GROUPS, listeners, .required = true, .restart = true, RANGE(1, 64),
		OF(struct draft_listener)),
	LISTENER("name", NAME, name, .absent = "made of protocol and port: doh-443",
		RANGE(1, NAME_LEN_MAX)),
	LISTENER("protocol", WORD, kind, .required = true, .words = listener_kinds),
	LISTENER("address", ADDRESS, address, .required = true),
	LISTENER("port", NUMBER, port, .absent = "443 for doh, 853 for dot, 53 for dns",
		RANGE(1, 65535)),
	LISTENER("path", URL_PATH, path, .preset = "/dns-query", RANGE(1, 255)),
	LISTENER("proxy_protocol_from", NETWORKS, proxy_protocol_from, .absent = "nobody",
		RANGE(1, 1024)),
	LISTENER("forwarded_from", NETWORKS, forwarded_from, .absent = "nobody", RANGE(1, 1024)),
	LISTENER("tls", BOOL, tls, .preset = "true"),
	LISTENER("json", BOOL, json, .preset = "false"),

	ROOT("tls", GROUP, element, .absent = "needed as soon as a listener speaks doh or dot"),
	ROOT("tls.certificate", FILE, tls_certificate, .absent = "certificates are given",
		RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.key", FILE, tls_key, .absent = "certificates are given", RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.ocsp_response", FILE, tls_ocsp_response, .absent = "nothing is stapled",
		RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.certificates", GROUPS, tls_certificates, .absent = "certificate alone",
		RANGE(1, TLS_CERTIFICATES_MAX - 1), OF(struct draft_certificate)),
	CERTIFICATE("certificate", FILE, certificate, .required = true, RANGE(1, FILE_LEN_MAX)),
	CERTIFICATE("key", FILE, key, .required = true, RANGE(1, FILE_LEN_MAX)),
	CERTIFICATE("ocsp_response", FILE, ocsp_response, .absent = "nothing is stapled",
		RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.ticket_key_file", FILE, tls_ticket_keys, .absent = "keys of our own",
		RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.client_ca", FILE, tls_client_ca, .absent = "clients are asked for no certificate",
		RANGE(1, FILE_LEN_MAX)),
	ROOT("tls.client_certificates", WORD, client_certificates, .absent = "optional with client_ca",
		.words = client_certificates),
	ROOT("tls.client_crl", FILE, tls_client_crl, .absent = "no certificate is revoked",
		RANGE(1, FILE_LEN_MAX)),

	ROOT("upstreams", GROUPS, upstreams, .absent = "the system's resolvers",
		RANGE(1, CONFIG_UPSTREAMS_MAX), OF(struct draft_upstream)),
	UPSTREAM("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	UPSTREAM("protocol", WORD, protocol, .preset = "dns", .words = upstream_protocols),
	UPSTREAM("address", ADDRESS, address, .absent = "addresses or host are given"),
	UPSTREAM("addresses", ADDRESSES, addresses, .absent = "address or host is given",
		RANGE(1, 16)),
	UPSTREAM("host", HOST, host, .absent = "address or addresses are given"),
	UPSTREAM("bootstrap", NAME, bootstrap, .absent = "must be given with host",
		RANGE(1, NAME_LEN_MAX)),
	UPSTREAM("port", NUMBER, port, .absent = "53 for dns, 853 for dot, 443 for doh",
		RANGE(1, 65535)),
	UPSTREAM("weight", NUMBER, weight, .preset = "1", RANGE(1, 1000)),
	UPSTREAM("tls_name", HOST, tls_name, .absent = "host; without one the address"),
	UPSTREAM("tls_ca", FILE, tls_ca, .absent = "the system's authorities",
		RANGE(1, FILE_LEN_MAX)),
	UPSTREAM("tls_pins", PINS, tls_pins, .absent = "every key", RANGE(1, 16)),
	UPSTREAM("path", URL_PATH, path, .preset = "/dns-query", RANGE(1, 255)),
	UPSTREAM("method", WORD, method, .preset = "POST", .words = methods),

	ROOT("upstream_groups", GROUPS, upstream_groups, .absent = "one, named default",
		RANGE(1, CONFIG_UPSTREAM_GROUPS_MAX), OF(struct draft_upstream_group)),
	GROUP("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	GROUP("upstreams", NAMES, upstreams, .required = true, RANGE(1, CONFIG_UPSTREAMS_MAX)),
	GROUP("policy", WORD, policy, .preset = "ordered", .words = upstream_policies),

	ROOT("routes", GROUPS, routes, .absent = "no routes", RANGE(0, CONFIG_ROUTES_MAX),
		OF(struct draft_route)),
	ROUTE("domains", ZONES, domains, .required = true, RANGE(1, 10000)),
	ROUTE("upstream_group", NAME, upstream_group, .required = true, RANGE(1, NAME_LEN_MAX)),
	ROUTE("views", NAMES, views, .absent = "every view", RANGE(1, POLICY_VIEWS_MAX)),

	ROOT("special_names", GROUP, element, .absent = "the defaults below"),
	SPECIAL("localhost", SPECIAL_LOCALHOST, "true"),
	SPECIAL("invalid", SPECIAL_INVALID, "true"),
	SPECIAL("test", SPECIAL_TEST, "true"),
	SPECIAL("onion", SPECIAL_ONION, "true"),
	SPECIAL("home_arpa", SPECIAL_HOME_ARPA, "true"),
	SPECIAL("local", SPECIAL_LOCAL, "true"),
	SPECIAL("private_reverse", SPECIAL_PRIVATE_REVERSE, "true"),
	SPECIAL("canary", SPECIAL_CANARY, "false"),

	ROOT("ddr", BOOL, ddr, .preset = "false"),

	ROOT("dns_cookies", GROUP, element, .absent = "the defaults below"),
	ROOT("dns_cookies.enabled", BOOL, dns_cookies.enabled, .preset = "true"),
	ROOT("dns_cookies.secret_file", FILE, dns_cookies.secret_file,
		.absent = "a new secret at each start", RANGE(1, FILE_LEN_MAX)),

	ROOT("udp_rate_limit", GROUP, element,
		.absent = "no limit; 500 with allow_open_resolver"),
	ROOT("udp_rate_limit.responses_per_second", NUMBER, udp_rate_limit.responses_per_second,
		.required = true, RANGE(1, 1000000)),
	ROOT("udp_rate_limit.burst", NUMBER, udp_rate_limit.burst,
		.absent = "as responses_per_second", RANGE(1, 1000000)),
	ROOT("udp_rate_limit.slip", NUMBER, udp_rate_limit.slip, .preset = "2", RANGE(0, 100)),
	ROOT("udp_rate_limit.prefix_v4", NUMBER, udp_rate_limit.prefix_v4, .preset = "24",
		RANGE(1, 32)),
	ROOT("udp_rate_limit.prefix_v6", NUMBER, udp_rate_limit.prefix_v6, .preset = "56",
		RANGE(1, 128)),
	ROOT("udp_rate_limit.exempt", NETWORKS, udp_rate_limit.exempt,
		.absent = "127.0.0.0/8 and ::1", RANGE(0, 1024)),
	ROOT("udp_rate_limit.dry_run", BOOL, udp_rate_limit.dry_run, .preset = "false"),

	ROOT("any_queries", WORD, any_queries, .preset = "minimal", .words = any_queries),

	ROOT("cache", GROUP, element, .absent = "the defaults below"),
	ROOT("cache.size", SIZE, cache.size, .preset = "64MiB", .restart = true,
		RANGE(0, 64LL * 1024 * MIB)),
	ROOT("cache.file", FILE, cache.file, .absent = "not kept", .restart = true,
		RANGE(1, FILE_LEN_MAX)),
	ROOT("cache.min_ttl", SECONDS, cache.min_ttl_s, .preset = "0s", RANGE(0, HOUR_S)),
	ROOT("cache.max_ttl", SECONDS, cache.max_ttl_s, .preset = "1d", RANGE(1, TTL_MAX_S)),
	ROOT("cache.negative_max_ttl", SECONDS, cache.negative_max_ttl_s, .preset = "1h",
		RANGE(0, 3 * HOUR_S)),
	ROOT("cache.stale", SECONDS, cache.stale_s, .preset = "1d", RANGE(0, TTL_MAX_S)),
	ROOT("cache.stale_after", MILLISECONDS, cache.stale_after_ms, .preset = "1800ms",
		RANGE(100, 4 * SECOND_MS)),
	ROOT("cache.prefetch", BOOL, cache.prefetch, .preset = "true"),

	ROOT("domain_lists", GROUPS, domain_lists, .absent = "no lists", RANGE(0, POLICY_LISTS_MAX),
		OF(struct draft_domain_list)),
	DOMAIN_LIST("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	DOMAIN_LIST("domains", TEXTS, domains, .absent = "file or source is given",
		RANGE(0, 1000000)),
	DOMAIN_LIST("file", FILE, file, .absent = "domains or source is given",
		RANGE(1, FILE_LEN_MAX)),
	DOMAIN_LIST("source", URL, source, .absent = "domains or file is given",
		RANGE(1, URL_LEN_MAX)),
	DOMAIN_LIST("format", WORD, format, .absent = "recognised; with domains, domains",
		.words = list_formats),
	DOMAIN_LIST("refresh", SECONDS, refresh_s, .preset = "1d",
		RANGE(MINUTE_S, 30 * 24 * HOUR_S)),
	DOMAIN_LIST("timeout", MILLISECONDS, timeout_ms, .preset = "1m",
		RANGE(1 * SECOND_MS, 1 * HOUR_MS)),
	DOMAIN_LIST("allow_private_addresses", BOOL, allow_private_addresses, .preset = "false"),
	DOMAIN_LIST("tls_ca", FILE, tls_ca, .absent = "the system's authorities",
		RANGE(1, FILE_LEN_MAX)),
	DOMAIN_LIST("minisign_key", MINISIGN_KEY, minisign_key,
		.absent = "no signature is asked for"),
	DOMAIN_LIST("sha256", SHA256, sha256, .absent = "any content"),
	DOMAIN_LIST("max_size", SIZE, max_size, .preset = "256MiB", RANGE(1, 4LL * 1024 * MIB)),
	DOMAIN_LIST("min_entries", NUMBER, min_entries, .preset = "0", RANGE(0, INT_MAX)),
	DOMAIN_LIST("max_shrink", PERCENT, max_shrink, .absent = "50% with source, any with file",
		RANGE(1, 100)),
	DOMAIN_LIST("max_growth", PERCENT, max_growth, .absent = "1000% with source, any with file",
		RANGE(1, 1000000)),
	DOMAIN_LIST("max_rejected", PERCENT, max_rejected, .preset = "50%", RANGE(1, 100)),
	DOMAIN_LIST("must_contain", QUESTIONS, must_contain, .absent = "no names", RANGE(0, 1000)),
	DOMAIN_LIST("must_not_contain", QUESTIONS, must_not_contain, .absent = "no names",
		RANGE(0, 1000)),
	ROOT("list_rebuild_interval", MILLISECONDS, list_rebuild_interval_ms, .preset = "30s",
		RANGE(0, 3600 * SECOND_MS)),
	ROOT("lists_image", FILE, lists_image, .absent = "lists are read from their sources",
		RANGE(1, FILE_LEN_MAX)),

	ROOT("schedules", GROUPS, schedules, .absent = "no schedules", RANGE(0, SCHEDULES_MAX),
		OF(struct draft_schedule)),
	SCHEDULE("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	SCHEDULE("days", TEXTS, days, .absent = "every day", RANGE(1, 7)),
	SCHEDULE("hours", TEXTS, hours, .absent = "the whole day", RANGE(1, 24)),
	SCHEDULE("time_zone", TEXT, time_zone, .preset = "UTC", RANGE(1, 64)),

	ROOT("rule_groups", GROUPS, rule_groups, .absent = "no rules", RANGE(0, POLICY_RULES_MAX),
		OF(struct draft_rule_group)),
	RULE_GROUP("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	RULE_GROUP("rules", GROUPS, rules, .required = true, RANGE(0, POLICY_RULES_MAX),
		OF(struct draft_rule)),
	RULE("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	RULE("priority", NUMBER, priority, .required = true, RANGE(1, INT_MAX)),
	RULE("action", WORD, action, .required = true, .words = actions),
	RULE("block_response", WORD, block_response,
		.absent = "must be given with BLOCK; NXDOMAIN with GIVEN",
		.words = block_responses),
	RULE("override_domain", DOMAIN, override_domain, .absent = "must be given with OVERRIDE"),
	RULE("override_ttl", SECONDS, override_ttl_s, .preset = "0s", RANGE(0, TTL_MAX_S)),
	RULE("addresses", ADDRESSES, addresses, .absent = "must be given with ADDRESS",
		RANGE(1, 64)),
	RULE("domain_list", NAME, domain_list, .required = true, RANGE(1, NAME_LEN_MAX)),
	RULE("query_type", QUERY_TYPE, query_type, .absent = "every type"),
	RULE("schedule", NAME, schedule, .absent = "always", RANGE(1, NAME_LEN_MAX)),
	RULE("redirection", WORD, redirection, .preset = "INSPECT", .words = redirections),

	ROOT("tokens", GROUPS, tokens, .absent = "no tokens", RANGE(0, CONFIG_TOKENS_MAX),
		OF(struct draft_token)),
	TOKEN("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	TOKEN("sha256", SHA256, sha256, .required = true),
	TOKEN("expires", TIME, expires_s, .absent = "never"),

	ROOT("views", GROUPS, views, .required = true, RANGE(1, POLICY_VIEWS_MAX),
		OF(struct draft_view)),
	VIEW("name", NAME, name, .required = true, RANGE(1, NAME_LEN_MAX)),
	VIEW("clients", NETWORKS, clients, .absent = "every client: see allow_open_resolver",
		RANGE(1, 65536)),
	VIEW("listeners", NAMES, listeners, .absent = "every listener", RANGE(1, 64)),
	VIEW("certificates", TEXTS, certificates, .absent = "with any or none", RANGE(1, 64)),
	VIEW("tokens", NAMES, tokens, .absent = "without", RANGE(1, CONFIG_TOKENS_MAX)),
	VIEW("paths", TEXTS, paths, .absent = "the listener's own", RANGE(1, 64)),
	VIEW("tls_names", TEXTS, tls_names, .absent = "any or none", RANGE(1, 64)),
	VIEW("default_action", WORD, default_action, .preset = "ALLOW", .words = default_actions),
	VIEW("default_block_response", WORD, default_block_response, .preset = "NODATA",
		.words = default_block_responses),
	VIEW("fail_mode", WORD, fail_mode, .preset = "closed", .words = fail_modes),
	VIEW("upstream_group", NAME, upstream_group, .absent = "the first one",
		RANGE(1, NAME_LEN_MAX)),
	VIEW("rebinding_protection", BOOL, rebinding_protection, .preset = "false"),
	VIEW("https_records", WORD, https_records, .preset = "pass", .words = https_records),
	VIEW("rate_limit", GROUP, element, .absent = "no limit"),
	VIEW("rate_limit.queries_per_second", NUMBER, rate_limit.queries_per_second,
		.required = true, RANGE(1, 1000000)),
	VIEW("rate_limit.burst", NUMBER, rate_limit.burst, .absent = "as queries_per_second",
		RANGE(1, 1000000)),
	VIEW("rate_limit.prefix_v4", NUMBER, rate_limit.prefix_v4, .preset = "32", RANGE(1, 32)),
	VIEW("rate_limit.prefix_v6", NUMBER, rate_limit.prefix_v6, .preset = "56", RANGE(1, 128)),
	VIEW("rate_limit.dry_run", BOOL, rate_limit.dry_run, .preset = "false"),
	VIEW("max_queries", NUMBER, max_queries, .absent = "as limits.queries", RANGE(1, 65535)),
	VIEW("log_clients", WORD, log_clients, .preset = "full", .words = log_clients),
	VIEW("on_failure", GROUP, element, .absent = "the defaults below"),
	VIEW("on_failure.lists_not_ready", WORD, on_failure[FAILURE_LISTS_NOT_READY],
		.preset = "last_good", .words = lists_failures),
	VIEW("on_failure.upstreams_down", WORD, on_failure[FAILURE_UPSTREAMS_DOWN],
		.preset = "stale", .words = answer_failures),
	VIEW("on_failure.log_blocked", WORD, on_failure[FAILURE_LOG_BLOCKED], .preset = "open",
		.words = log_failures),
	VIEW("on_failure.over_capacity", WORD, on_failure[FAILURE_OVER_CAPACITY],
		.preset = "stale", .words = answer_failures),
	VIEW("associations", GROUPS, associations, .absent = "no rules", RANGE(0, POLICY_RULES_MAX),
		OF(struct draft_association)),
	ASSOCIATION("rule_group", NAME, rule_group, .required = true, RANGE(1, NAME_LEN_MAX)),
	ASSOCIATION("priority", NUMBER, priority, .required = true, RANGE(1, INT_MAX)),
	ASSOCIATION("mode", WORD, mode, .preset = "enforce", .words = modes),

	ROOT("expect", GROUPS, expects, .absent = "no expectations", RANGE(0, CONFIG_EXPECTS_MAX),
		OF(struct draft_expect)),
	EXPECT("title", TEXT, title, .absent = "its place: expect[0]", RANGE(1, 200)),
	EXPECT("view", NAME, view, .absent = "client is given", RANGE(1, NAME_LEN_MAX)),
	EXPECT("client", ADDRESS, client, .absent = "view is given"),
	EXPECT("listener", NAME, listener, .absent = "the view's first", RANGE(1, NAME_LEN_MAX)),
	EXPECT("name", DOMAIN, name, .required = true),
	EXPECT("type", QUERY_TYPE, type, .preset = "A"),
	EXPECT("answer", TEXTS, answer, .absent = "the question alone is judged", RANGE(1, 256)),
	EXPECT("at", TIME, at_s, .absent = "the time of the test"),
	EXPECT("verdict", WORD, verdict, .required = true, .words = verdicts),
	EXPECT("block_response", WORD, block_response, .absent = "any",
		.words = expected_block_responses),
	EXPECT("rule", TEXT, rule, .absent = "any, or none", RANGE(1, 2 * NAME_LEN_MAX + 1)),

	ROOT("shadow", GROUP, element, .absent = "no candidate"),
	ROOT("shadow.file", FILE, shadow.file, .required = true, RANGE(1, FILE_LEN_MAX)),
	ROOT("shadow.share", PERCENT, shadow.share, .preset = "100%", RANGE(1, 100)),
	ROOT("shadow.views", NAMES, shadow.views, .absent = "every view",
		RANGE(1, POLICY_VIEWS_MAX)),
	ROOT("revisions", NUMBER, revisions, .preset = "20", RANGE(0, CONFIG_REVISIONS_MAX)),

	ROOT("rebinding_exceptions", DOMAINS, rebinding_exceptions,
		.absent = "none but the domains of routes", RANGE(0, 10000)),

	ROOT("local_data", GROUPS, local_data, .absent = "no records of our own", RANGE(0, 10000),
		OF(struct draft_local_record)),
	LOCAL_RECORD("name", TEXT, name, .required = true, RANGE(1, 1008)),
	LOCAL_RECORD("type", WORD, type, .required = true, .words = local_types),
	LOCAL_RECORD("value", TEXT, value, .required = true, RANGE(0, 4096)),
	LOCAL_RECORD("ttl", SECONDS, ttl_s, .preset = "300s", RANGE(0, TTL_MAX_S)),

	ROOT("query_log", GROUP, element, .restart = true, .absent = "no query log"),
	ROOT("query_log.file", FILE, query_log_file, .required = true, .restart = true,
		RANGE(1, FILE_LEN_MAX)),
	ROOT("query_log.format", WORD, query_log_format, .preset = "namegate", .restart = true,
		.words = query_log_formats),
	ROOT("query_log.account_id", TEXT, query_log_account_id, .preset = "local", .restart = true,
		RANGE(1, 64)),
	ROOT("query_log.region", TEXT, query_log_region, .preset = "local", .restart = true,
		RANGE(1, 64)),
	ROOT("query_log.buffer", SIZE, query_log_buffer, .preset = "1MiB", .restart = true,
		RANGE(64 * KIB, 256 * MIB)),
	ROOT("query_log.hash_key_file", FILE, query_log_hash_key_file,
		.absent = "a new key at each start", .restart = true, RANGE(1, FILE_LEN_MAX)),

	ROOT("admin", GROUP, element, .restart = true, .absent = "no admin listener"),
	ROOT("admin.address", ADDRESS, admin_address, .preset = "127.0.0.1", .restart = true),
	ROOT("admin.port", NUMBER, admin_port, .required = true, .restart = true, RANGE(1, 65535)),

	ROOT("control_socket", FILE, control_socket, .absent = "no control socket", .restart = true,
		RANGE(1, SOCKET_LEN_MAX)),
	ROOT("state_directory", FILE, state_directory, .preset = "", .restart = true,
		RANGE(0, FILE_LEN_MAX)),
	ROOT("user", TEXT, user, .absent = "whoever starts it", .restart = true,
		RANGE(1, USER_LEN_MAX)),
	ROOT("group", TEXT, group, .absent = "the user's own", .restart = true,
		RANGE(1, USER_LEN_MAX)),
	ROOT("hardening", GROUP, element, .restart = true, .absent = "the defaults below"),
	ROOT("hardening.seccomp", BOOL, hardening.seccomp, .preset = "true", .restart = true),
	ROOT("hardening.landlock", BOOL, hardening.landlock, .preset = "true", .restart = true),
	ROOT("hardening.no_core", BOOL, hardening.no_core, .preset = "true", .restart = true),
	ROOT("allow_open_resolver", BOOL, allow_open_resolver, .preset = "false"),

	ROOT("limits", GROUP, element, .absent = "the defaults below"),
	ROOT("limits.connections", NUMBER, limits.connections,
		.absent = "8192, or fewer where descriptors allow fewer", .restart = true,
		RANGE(1, 1000000)),
	ROOT("limits.connections_per_address", NUMBER, limits.connections_per_address,
		.preset = "256", RANGE(1, 1000000)),
	ROOT("limits.connections_per_prefix", NUMBER, limits.connections_per_prefix, .preset = "0",
		RANGE(0, 1000000)),
	ROOT("limits.prefix_v4", NUMBER, limits.prefix_v4, .preset = "24", RANGE(8, 32)),
	ROOT("limits.prefix_v6", NUMBER, limits.prefix_v6, .preset = "48", RANGE(16, 64)),
	ROOT("limits.handshakes_per_address", NUMBER, limits.handshakes_per_address,
		.preset = "256", RANGE(1, 1000000)),
	ROOT("limits.pressure", PERCENT, limits.pressure, .preset = "90%", RANGE(10, 100)),
	ROOT("limits.queued_bytes", SIZE, limits.queued_bytes, .preset = "64MiB",
		RANGE(1 * MIB, 65536LL * MIB)),
	ROOT("limits.queries", NUMBER, limits.queries, .preset = "4096", .restart = true,
		RANGE(1, 65535)),
	ROOT("limits.queries_per_connection", NUMBER, limits.queries_per_connection,
		.preset = "100", RANGE(1, 10000)),
	ROOT("limits.queries_per_client", NUMBER, limits.queries_per_client, .preset = "1024",
		RANGE(1, 65535)),
	ROOT("limits.handshake_timeout", MILLISECONDS, limits.handshake_timeout_ms, .preset = "5s",
		RANGE(100, 5 * MINUTE_MS)),
	ROOT("limits.request_timeout", MILLISECONDS, limits.request_timeout_ms, .preset = "5s",
		RANGE(100, 5 * MINUTE_MS)),
	ROOT("limits.idle_timeout", MILLISECONDS, limits.idle_timeout_ms, .preset = "30s",
		RANGE(1 * SECOND_MS, 1 * HOUR_MS)),
};
/* clang-format on */

const size_t schema_key_count = sizeof schema_keys / sizeof schema_keys[0];

const char *schema_key_name(const struct schema_key *key)
{
	const char *dot = strrchr(key->path, '.');
	return dot ? dot + 1 : key->path;
}

bool schema_key_is_in(const struct schema_key *key, const char *parent)
{
	const char *name = schema_key_name(key);
	size_t parent_len = strlen(parent);
	if (name == key->path)
		return parent_len == 0;
	return (size_t)(name - key->path) == parent_len + 1 &&
		strncmp(key->path, parent, parent_len) == 0;
}

/* A unit and how many of the smallest make it; largest first. */
struct unit {
	const char *text;
	int64_t size;
};

static void write_in_units(struct writer *to, int64_t value, const struct unit *units)
{
	while (units->size > 1 && (value == 0 || value % units->size != 0))
		units++;
	writer_decimal(to, (uint64_t)(value / units->size));
	writer_text(to, units->text);
}

void schema_write_duration(struct writer *to, int64_t milliseconds)
{
	static const struct unit units[] = { { "d", 24 * HOUR_MS }, { "h", HOUR_MS },
		{ "m", MINUTE_MS }, { "s", SECOND_MS }, { "ms", 1 } };
	if (milliseconds == 0)
		writer_text(to, "0s");
	else
		write_in_units(to, milliseconds, units);
}

void schema_write_size(struct writer *to, int64_t bytes)
{
	static const struct unit units[] = { { "GiB", 1024LL * MIB }, { "MiB", MIB },
		{ "KiB", KIB }, { "B", 1 } };
	write_in_units(to, bytes, units);
}

void schema_write_percent(struct writer *to, int64_t percent)
{
	writer_decimal(to, (uint64_t)percent);
	writer_u8(to, '%');
}

static const char *const type_texts[SCHEMA_TYPE_COUNT] = {
	[SCHEMA_GROUP] = "group",
	[SCHEMA_GROUPS] = "list of groups",
	[SCHEMA_NAME] = "name",
	[SCHEMA_NAMES] = "names",
	[SCHEMA_TEXT] = "text",
	[SCHEMA_TEXTS] = "texts",
	[SCHEMA_FILE] = "file path",
	[SCHEMA_URL_PATH] = "URL path",
	[SCHEMA_URL] = "URL",
	[SCHEMA_NUMBER] = "number",
	[SCHEMA_BOOL] = "true or false",
	[SCHEMA_MILLISECONDS] = "duration",
	[SCHEMA_SECONDS] = "duration",
	[SCHEMA_TIME] = "time",
	[SCHEMA_SIZE] = "size",
	[SCHEMA_PERCENT] = "percentage",
	[SCHEMA_ADDRESS] = "address",
	[SCHEMA_ADDRESSES] = "addresses",
	[SCHEMA_NETWORKS] = "networks",
	[SCHEMA_WORD] = "word",
	[SCHEMA_DOMAIN] = "domain name",
	[SCHEMA_DOMAINS] = "domain names",
	[SCHEMA_ZONES] = "domain names, networks",
	[SCHEMA_QUESTIONS] = "domain names",
	[SCHEMA_HOST] = "host name",
	[SCHEMA_PINS] = "pins",
	[SCHEMA_SHA256] = "SHA-256",
	[SCHEMA_MINISIGN_KEY] = "minisign key",
	[SCHEMA_QUERY_TYPE] = "query type",
};

static struct writer text_writer(struct schema_text *text)
{
	return writer_of(text->text, sizeof text->text - 1);
}

static const char *text_end(struct schema_text *text, const struct writer *to)
{
	text->text[to->len] = '\0';
	return text->text;
}

const char *schema_type_text(const struct schema_key *key, struct schema_text *text)
{
	struct writer to = text_writer(text);
	writer_text(&to, type_texts[key->type]);
	return text_end(text, &to);
}

const char *schema_default_text(const struct schema_key *key, struct schema_text *text)
{
	bool in_quotes = key->type != SCHEMA_NUMBER && key->type != SCHEMA_BOOL;
	struct writer to = text_writer(text);
	if (key->required) {
		writer_text(&to, "required");
	} else if (key->preset) {
		writer_text(&to, in_quotes ? "\"" : "");
		writer_text(&to, key->preset);
		writer_text(&to, in_quotes ? "\"" : "");
	} else {
		writer_text(&to, key->absent);
	}
	return text_end(text, &to);
}

static void write_words(struct writer *to, const struct schema_word *words)
{
	size_t first = to->len;
	for (; words->text; words++) {
		if (words->is_alias)
			continue;
		if (to->len != first)
			writer_text(to, ", ");
		writer_text(to, words->text);
	}
}

static void write_limit(struct writer *to, const struct schema_key *key, int64_t limit)
{
	if (key->type == SCHEMA_SIZE)
		schema_write_size(to, limit);
	else if (key->type == SCHEMA_PERCENT)
		schema_write_percent(to, limit);
	else if (key->type == SCHEMA_MILLISECONDS)
		schema_write_duration(to, limit);
	else if (key->type == SCHEMA_SECONDS)
		schema_write_duration(to, limit * SECOND_MS);
	else
		writer_decimal(to, (uint64_t)limit);
}

static const char *limit_unit(enum schema_type type)
{
	switch (type) {
	case SCHEMA_GROUPS:
	case SCHEMA_NAMES:
	case SCHEMA_TEXTS:
	case SCHEMA_ADDRESSES:
	case SCHEMA_DOMAINS:
	case SCHEMA_ZONES:
	case SCHEMA_QUESTIONS:
	case SCHEMA_PINS:
	case SCHEMA_NETWORKS: return " elements";
	case SCHEMA_NAME:
	case SCHEMA_TEXT:
	case SCHEMA_FILE:
	case SCHEMA_URL:
	case SCHEMA_URL_PATH: return " bytes";
	default: return "";
	}
}

const char *schema_range_text(const struct schema_key *key, struct schema_text *text)
{
	struct writer to = text_writer(text);
	if (key->words) {
		write_words(&to, key->words);
	} else if (key->most) {
		write_limit(&to, key, key->least);
		writer_text(&to, " to ");
		write_limit(&to, key, key->most);
		writer_text(&to, limit_unit(key->type));
	}
	return text_end(text, &to);
}
