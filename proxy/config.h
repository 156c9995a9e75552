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
#include "rules/spec.h"

enum protocol { PROTOCOL_UDP, PROTOCOL_TCP, PROTOCOL_DOT, PROTOCOL_DOH, PROTOCOL_COUNT };

/* "udp", "tcp", "dot", "doh": as the log and the metrics say it. */
const char *protocol_name(enum protocol protocol);

/* What a listener speaks; "dns" is UDP and TCP. */
enum listener_kind { LISTENER_DNS, LISTENER_DOT, LISTENER_DOH };

struct listener_config {
	const char *name; /* as given, else "doh-443" made of kind and port */
	enum listener_kind kind;
	struct address address;
	uint16_t port;
	const char *path; /* DoH only; "/dns-query" unless given */
	unsigned line;
};

enum { CONFIG_UPSTREAMS_MAX = 32 }; /* as many as one question can be sent to */

struct upstream_config {
	const char *name;
	struct address address;
	uint16_t port;
	unsigned line;
};

enum query_log_format { QUERY_LOG_NAMEGATE, QUERY_LOG_AWS };

struct query_log_config {
	const char *file; /* absolute or relative to the working directory; "-": standard output;
			     NULL: no query log */
	enum query_log_format format;
	const char *account_id; /* "local" unless given */
	const char *region;
	size_t buffer_bytes; /* of each worker's ring */
};

/* Numbers that bound what clients can make us hold. */
struct limits_config {
	unsigned connections;             /* per worker, all listeners together */
	unsigned connections_per_address; /* per worker; of an IPv4 address or an IPv6 /64 */
	unsigned queries;                 /* waiting for an upstream, per worker */
	unsigned queries_per_connection;
	unsigned handshake_timeout_ms;
	unsigned request_timeout_ms;
	unsigned idle_timeout_ms;
};

enum { CONFIG_HASH_LEN = 32 };

struct config {
	const char *file;         /* as given on the command line */
	const char *directory;    /* relative paths start here */
	unsigned workers;         /* 0: one per CPU that we may use */
	bool allow_open_resolver; /* the one setting that lets a view without `clients` be reached
				     from everywhere */
	const struct listener_config *listeners;
	size_t listener_count;
	const char *tls_certificate; /* NULL when no listener needs TLS */
	const char *tls_key;
	const struct upstream_config *upstreams;
	size_t upstream_count; /* 0: the system's resolvers */
	struct policy_spec policy;
	struct query_log_config query_log;
	struct address admin_address;
	uint16_t admin_port;         /* 0: no admin listener */
	const char *control_socket;  /* NULL: none. Not opened by this version */
	const char *state_directory; /* "": nothing is written */
	struct limits_config limits;
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
 * @include files, and nothing else: lists, certificates and the like are opened by their users. */
struct config *config_load(const char *file, struct config_errors *errors);
void config_free(struct config *config);

/* The same for a text in memory; `file` names it in errors and paths are relative to its directory.
 * There is no @include. */
struct config *config_load_text(const char *file, struct slice text, struct config_errors *errors);

/* Version of the library that reads the files. */
const char *config_library_version(void);

/* Logs what was accepted although this version does nothing with it. For the start. */
void config_log_notes(const struct config *config);

/* The ready sink: "file:line: path: message" on standard error. */
void config_errors_to_stderr(struct config_errors *errors);

/* Which settings differ that only a restart can change (those whose row in docs/config.md says so:
 * listeners, workers, admin, query_log, limits of tables, control_socket, state_directory)? NULL
 * when none, else the name of the first. */
const char *config_needs_restart(const struct config *running, const struct config *wanted);

#endif
