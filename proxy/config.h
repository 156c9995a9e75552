/* config.h - the configuration file as plain structs. libconfig is known to config/tree.c alone.
 * A configuration is read whole or not at all; every error in it is reported, not only the first.
 * It is immutable after config_load() and belongs to whoever loaded it.
 *
 * How a file becomes this, one step a file in config/: source.c (bytes of all files), syntax.c
 * (grammar), tree.c (libconfig), schema.c (every key), walk.c and value.c (types and ranges, into
 * draft.h), resolve.c (names, and what does not go together). */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include "base/address.h"
#include "base/arena.h"
#include "proxy/lists/guard.h"
#include "rules/spec.h"
#include "tls/client.h"
#include "tls/context.h"

enum protocol { PROTOCOL_UDP, PROTOCOL_TCP, PROTOCOL_DOT, PROTOCOL_DOH, PROTOCOL_COUNT };

/* "udp", "tcp", "dot", "doh": as the log and the metrics say it. */
const char *protocol_name(enum protocol protocol);

/* What a listener speaks; "dns" is UDP and TCP. The last is "doh" with tls = false: for proxies
 * that end TLS themselves, and nobody else may connect. */
enum listener_kind { LISTENER_DNS, LISTENER_DOT, LISTENER_DOH, LISTENER_DOH_CLEAR };

static inline bool listener_is_doh(enum listener_kind kind)
{
	return kind == LISTENER_DOH || kind == LISTENER_DOH_CLEAR;
}

struct listener_config {
	const char *name; /* as given, else "doh-443" made of kind and port */
	enum listener_kind kind;
	struct address address;
	uint16_t port;
	const char *path; /* DoH only; "/dns-query" unless given */
	/* Peers that put a PROXY protocol header (version 1 or 2) in front of all that they send,
	 * and are disbelieved without one. TCP only. */
	const struct network *proxy_protocol_from;
	size_t proxy_protocol_from_count;
	/* DoH: peers whose Forwarded or X-Forwarded-For names the client. */
	const struct network *forwarded_from;
	size_t forwarded_from_count;
	bool json; /* DoH: application/dns-json is spoken as well */
	unsigned line;
};

/* May clients show a certificate? */
enum client_certificates {
	CLIENT_CERTIFICATES_NONE, /* they are not asked */
	CLIENT_CERTIFICATES_OPTIONAL,
	CLIENT_CERTIFICATES_REQUIRED, /* a handshake without one fails */
};

enum { CONFIG_UPSTREAMS_MAX = 32 }; /* as many as one question can be sent to */

enum { CONFIG_UPSTREAM_GROUPS_MAX = 64, CONFIG_ROUTES_MAX = 256 };

enum { CONFIG_TOKENS_MAX = 10000, CONFIG_REVISIONS_MAX = 1000, CONFIG_EXPECTS_MAX = 10000 };

enum upstream_protocol { UPSTREAM_DNS, UPSTREAM_DOT, UPSTREAM_DOH };

struct upstream_config {
	const char *name;
	enum upstream_protocol protocol;
	struct address address;          /* the first of `addresses`; zeros when there are none */
	const struct address *addresses; /* tried in this order; none: `host` is looked up */
	size_t address_count;
	const char *host;   /* NULL when addresses were given */
	uint16_t bootstrap; /* index of the upstream that is asked for the addresses of `host`; it
			       has addresses itself */
	uint16_t port;      /* 53, 853, 443 unless given */
	unsigned weight;    /* of its share when its group is "weighted"; 1 unless given */
	/* dot and doh only: */
	const char *tls_name; /* NULL: the certificate must have the address, or a pin match */
	const char *tls_ca;   /* file; NULL: the system's authorities */
	const struct tls_pin *tls_pins;
	size_t tls_pin_count;
	const char *authority; /* doh: tls_name or address, with the port unless it is 443 */
	const char *path;      /* doh */
	bool use_get;          /* doh: GET instead of POST */
	unsigned line;
};

enum upstream_policy {
	UPSTREAM_ORDERED,  /* the first one that is up */
	UPSTREAM_FASTEST,  /* the one that answers soonest; the others now and then, to learn */
	UPSTREAM_WEIGHTED, /* by chance, in shares */
	UPSTREAM_PARALLEL, /* two at once, the best two of them */
};

struct upstream_group_config {
	const char *name;
	enum upstream_policy policy;
	const uint16_t *members; /* indices of upstreams, in order */
	size_t member_count;
	uint32_t identity; /* what the cache knows its answers by: a hash of the members' protocols,
			      addresses, ports and names; the same after a restart, another when
			      somebody else is asked */
};

/* Who is asked for some names instead of the view's group. */
struct route_config {
	const struct dns_name *domains; /* lower case; each with everything below */
	size_t domain_count;
	const uint16_t *views; /* none: every view */
	size_t view_count;
	uint16_t group;
	unsigned line;
};

/* Names that are answered here and never asked elsewhere, each switchable; query/special.h. */
enum special_name {
	SPECIAL_LOCALHOST,       /* RFC 6761 6.3 */
	SPECIAL_INVALID,         /* RFC 6761 6.4 */
	SPECIAL_TEST,            /* RFC 6761 6.2 */
	SPECIAL_ONION,           /* RFC 7686 2 */
	SPECIAL_HOME_ARPA,       /* RFC 8375 4 */
	SPECIAL_LOCAL,           /* RFC 6762 22.1 */
	SPECIAL_PRIVATE_REVERSE, /* RFC 6303, RFC 6761 6.1 */
	SPECIAL_CANARY, /* use-application-dns.net: tells Firefox to keep to us; off unless asked
			   for */
	SPECIAL_NAMES
};

/* Where a list comes from, beside what rules/spec.h says of it; by the same index. */
struct list_source {
	const char *url;     /* https; NULL: a file, or inline */
	unsigned refresh_s;  /* of a url: how often it is asked for */
	size_t max_size;     /* bytes, read or fetched, and unpacked; 0 of an inline list */
	unsigned timeout_ms; /* of one fetch, from beginning to end; 0 without a url */
	bool allow_private;  /* may the url's host have a private address? */
	const char *tls_ca;  /* file; NULL: the system's authorities */
	struct list_guards guards;
	unsigned line;
};

enum { CONFIG_CACHE_SIZE_MIN = 1024 * 1024 };

struct cache_config {
	size_t size;        /* bytes; 0: no cache */
	const char *file;   /* NULL: lost at the end */
	uint32_t min_ttl_s; /* of positive answers */
	uint32_t max_ttl_s;
	uint32_t negative_max_ttl_s;
	uint32_t stale_s;        /* how long after its end an answer may be given; 0: never */
	unsigned stale_after_ms; /* how long upstreams are waited for before (RFC 8767 5) */
	bool prefetch;
};

/* How many questions a client may ask; a client is an address, or a network of clients. */
struct rate_limit_config {
	unsigned per_second; /* 0: no limit */
	unsigned burst;      /* at least per_second */
	uint8_t prefix_v4;   /* 32: every address by itself */
	uint8_t prefix_v6;
	bool dry_run; /* counted and flagged in the log, not refused */
};

/* How many answers over UDP go to a network, whoever in it may have asked: the address of a
 * datagram is easily forged. */
struct udp_rate_limit_config {
	struct rate_limit_config limit; /* per_second 0: no limit */
	unsigned slip; /* beyond it each slip-th gets a short answer, others none; 0: none */
	const struct network *exempt;
	size_t exempt_count;
};

/* RFC 7873, RFC 9018. */
struct dns_cookies_config {
	bool enabled;
	const char *secret_file; /* NULL: a secret of this run */
};

/* What a question for all types gets over UDP. */
enum any_queries {
	ANY_MINIMAL, /* one record that says so (RFC 8482 4.2) */
	ANY_FORWARD, /* what an upstream says */
};

/* What the query log tells of a client's address. */
enum log_clients {
	LOG_CLIENTS_FULL,
	LOG_CLIENTS_TRUNCATED, /* to /24 and /48 */
	LOG_CLIENTS_HASHED, /* with a key: the same client is the same word, until the key is new */
	LOG_CLIENTS_OMITTED,
};

/* What a view does when something is not as it should be. */
enum failure {
	FAILURE_LISTS_NOT_READY, /* a list has no edition at all: closed, open */
	FAILURE_UPSTREAMS_DOWN,  /* nobody answered: closed (SERVFAIL), stale */
	FAILURE_LOG_BLOCKED,     /* the query log drops lines: open, closed (SERVFAIL) */
	FAILURE_OVER_CAPACITY,   /* a table is full: closed (SERVFAIL), stale */
	FAILURE_COUNT,
};
enum failure_word { ON_FAILURE_CLOSED, ON_FAILURE_OPEN, ON_FAILURE_LAST_GOOD, ON_FAILURE_STALE };

/* What a view is beyond the policy; by index of policy.views. */
struct view_config {
	unsigned max_queries; /* waiting for an upstream, per worker; 0: no limit of its own */
	struct rate_limit_config rate_limit;
	enum log_clients log_clients;
	enum failure_word on_failure[FAILURE_COUNT];
};

/* What `rule` of an expectation says when no rule is to decide. */
#define EXPECT_NO_RULE "none"

/* One test of the policy, of the policy's own file. */
struct expect_config {
	const char *title; /* NULL: it has none */
	uint16_t view;     /* POLICY_NO_ID: the one that claims `client`, on `listener` */
	struct address client;
	uint16_t listener;
	struct dns_name question; /* as written */
	uint16_t type;
	/* What an upstream would say: a DNS message with this question and these records; empty:
	 * the question alone is judged, and our own records. */
	struct slice answer;
	int64_t now_s;       /* 0: schedules are judged at the time of the test */
	enum action verdict; /* ACTION_ALLOW (by a rule or by no rule), ALERT, BLOCK */
	int block_response;  /* enum block_response, or -1: any */
	const char *rule;    /* by which rule: its name, or "group/rule"; "none": by no rule; NULL:
				any, or none */
	const char *file;    /* where it stands */
	unsigned line;
};

/* A candidate that is judged beside the policy in force. */
struct shadow_config {
	const char *file;      /* NULL: none */
	unsigned share;        /* percent of the queries, by client */
	const uint16_t *views; /* none: every view */
	size_t view_count;
};

enum query_log_format { QUERY_LOG_NAMEGATE, QUERY_LOG_AWS };

struct query_log_config {
	const char *file; /* absolute or relative to the working directory; "-": standard output;
			     NULL: no query log */
	enum query_log_format format;
	const char *account_id; /* "local" unless given */
	const char *region;
	size_t buffer_bytes;       /* of each worker's ring */
	const char *hash_key_file; /* of LOG_CLIENTS_HASHED; NULL: a key of this run */
};

/* Of which there are `limits.connections` unless it is given, or descriptors are too few. */
enum { CONFIG_CONNECTIONS = 8192 };

/* Numbers that bound what clients can make us hold. */
struct limits_config {
	/* Of all workers and listeners together; 0: as many as descriptors allow, see
	 * descriptors.h. */
	unsigned connections;
	unsigned connections_per_address; /* of an IPv4 address or an IPv6 /64 */
	unsigned connections_per_prefix;  /* 0: no limit */
	unsigned prefix_v4;               /* of the 32 */
	unsigned prefix_v6;
	unsigned handshakes_per_address; /* that are not over */
	unsigned pressure;               /* percent of connections, or of descriptors */
	size_t queued_bytes;             /* of replies that clients do not take, all together */
	unsigned queries;                 /* waiting for an upstream, per worker */
	unsigned queries_per_connection;
	unsigned queries_per_client; /* per worker; of an IPv4 address or an IPv6 /64 */
	unsigned handshake_timeout_ms;
	unsigned request_timeout_ms;
	unsigned idle_timeout_ms;
};

/* What is given up at the start beside root, each where the kernel has it (proxy/rights/rights.h).
 */
struct hardening_config {
	bool seccomp;  /* system calls that are never made */
	bool landlock; /* files that the configuration does not name */
	bool no_core;  /* core dumps, and being looked at by others of the same user */
};

/* Where the parts of the policy stand, each by its index; the file is NULL for what comes with the
 * program (see config/builtin.h). For whoever has something to say about one. */
struct config_place {
	const char *file;
	unsigned line;
};
struct config_places {
	const struct config_place *lists;
	const struct config_place *schedules;
	const struct config_place *tokens;
	const struct config_place *groups;
	const struct config_place *const *rules; /* of each group, as rule_group_spec has them */
	const struct config_place *views;
};

enum { CONFIG_HASH_LEN = 32 };

/* A file that the configuration was read from. */
struct config_file {
	const char *path; /* relative to `directory` */
	uint64_t hash[2]; /* XXH3 of its bytes */
};

struct config {
	const char *file;         /* as given on the command line */
	const char *directory;    /* relative paths start here */
	unsigned workers;         /* 0: one per CPU that we may use */
	bool allow_open_resolver; /* the one setting that lets a view without `clients` be reached
				     from everywhere */
	const struct listener_config *listeners;
	size_t listener_count;
	/* Their files; the first is for clients that name no name of another one. */
	const struct tls_certificate_files *tls_certificates;
	size_t tls_certificate_count; /* 0 when no listener needs TLS */
	const char *tls_ticket_keys;  /* file; NULL: keys of our own */
	const char *tls_client_ca;    /* PEM file; NULL: clients have no certificates */
	const char *tls_client_crl;   /* PEM file; NULL: none is revoked */
	enum client_certificates client_certificates;
	const struct upstream_config *upstreams;
	size_t upstream_count; /* 0: the system's resolvers */
	/* The first is the default. None given: one named "default" of all upstreams, less plain
	 * ones that are somebody's bootstrap. Empty only together with upstreams. */
	const struct upstream_group_config *upstream_groups;
	size_t upstream_group_count;
	const struct route_config *routes;
	size_t route_count;
	const uint16_t *view_groups; /* by index of the view: its upstream group */
	bool special_names[SPECIAL_NAMES];
	bool ddr; /* discovery of designated resolvers, RFC 9462 */
	struct dns_cookies_config dns_cookies;
	struct udp_rate_limit_config udp_rate_limit;
	enum any_queries any_queries;
	struct cache_config cache;
	struct policy_spec policy;
	struct config_places places;     /* of what the policy has */
	const struct view_config *views; /* one for each of policy.views */
	const struct expect_config *expects;
	size_t expect_count;
	struct shadow_config shadow;
	unsigned revisions; /* how many are kept in the state directory; 0: none */
	const struct list_source *list_sources; /* one for each of policy.lists */
	unsigned list_rebuild_interval_ms;      /* what is new within it shares one load */
	const char *lists_image; /* a compiled image that all lists are taken from: no file and no
				    source is opened; NULL: none */
	struct query_log_config query_log;
	struct address admin_address;
	uint16_t admin_port;         /* 0: no admin listener */
	const char *control_socket;  /* NULL: none */
	const char *state_directory; /* "": nothing is written */
	const char *user;            /* a name or a number; NULL: whoever starts us */
	const char *group;           /* NULL: the user's own */
	struct hardening_config hardening;
	struct limits_config limits;
	const struct config_file *files; /* the first is `file`; none of a text in memory */
	size_t file_count;
	char hash[CONFIG_HASH_LEN + 1]; /* of the text of all files, hexadecimal: the same text is
					   the same configuration, comments left out */
	struct arena memory;            /* of all of the above */
};

/* Receives every error: the file, the line (0 when unknown), the path of the setting
 * ("views[0].associations[1].rule_group"; may be empty) and what is wrong with a hint. */
struct config_errors {
	void (*on_error)(void *context, const char *file, unsigned line, const char *path,
		const char *message);
	void *context;
	unsigned count;
};

/* NULL when there was an error; all of them have been told. Reads the configuration file and its
 * @include files, and the system's time zones that schedules name, and nothing else: lists,
 * certificates and the like are opened by their users. */
struct config *config_load(const char *file, struct config_errors *errors);
void config_free(struct config *config);

/* Reads copies of the files that config_load(file) would read, which stand in `copies` under the
 * paths that they have in the directory of `file`: everything else that a path in them names is
 * where it would be without the copies. */
struct config *config_load_copies(
	const char *file, const char *copies, struct config_errors *errors);

/* The hash that config_load() would give the configuration, whatever else is wrong with it. False
 * when its files cannot be read. */
bool config_text_hash(const char *file, char hash[CONFIG_HASH_LEN + 1]);

/* Where the file names nobody: takes `upstreams` (the system's resolvers; `name`, `address` and
 * `port` of them, which are copied) and makes the group of all of them. False when out of memory.
 */
bool config_take_upstreams(
	struct config *config, const struct upstream_config *upstreams, size_t count);

/* The same for a text in memory; `file` names it in errors and paths are relative to its directory.
 * There is no @include. */
struct config *config_load_text(const char *file, struct slice text, struct config_errors *errors);

/* Version of the library that reads the files. */
const char *config_library_version(void);

/* Logs what was accepted although this version does nothing with it. For the start. */
void config_log_notes(const struct config *config);

/* "file:line: path: message"; without a line when that is 0, and without a path when that is "".
 * Returns `text`; what is too long is cut. */
enum { CONFIG_PROBLEM_TEXT_MAX = 8192 };
const char *config_problem_text(char text[CONFIG_PROBLEM_TEXT_MAX], const char *file, unsigned line,
	const char *path, const char *message);

/* The ready sink: config_problem_text() on standard error. */
void config_errors_to_stderr(struct config_errors *errors);

/* Would both ask the same upstreams in the same way, so that what is open can stay open? */
bool config_same_upstreams(const struct config *a, const struct config *b);

/* Which settings differ that only a restart can change (those whose row in docs/config.md says so:
 * listeners, workers, admin, query_log, limits of tables, control_socket, state_directory, user,
 * group, hardening)? NULL
 * when none, else the name of the first. */
const char *config_needs_restart(const struct config *running, const struct config *wanted);

#endif
