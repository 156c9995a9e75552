#include "proxy/config.h"

#include "base/log.h"
#include "proxy/config/problem_order.h"
#include "proxy/config/resolve.h"
#include "proxy/config/same.h"
#include "proxy/config/tree.h"
#include "proxy/config/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

const char *protocol_name(enum protocol protocol)
{
	static const char *const names[PROTOCOL_COUNT] = {
		[PROTOCOL_UDP] = "udp",
		[PROTOCOL_TCP] = "tcp",
		[PROTOCOL_DOT] = "dot",
		[PROTOCOL_DOH] = "doh",
	};
	return (unsigned)protocol < PROTOCOL_COUNT ? names[protocol] : "unknown";
}

const char *config_problem_text(char text[CONFIG_PROBLEM_TEXT_MAX], const char *file, unsigned line,
	const char *path, const char *message)
{
	char number[16] = "";
	if (line)
		snprintf(number, sizeof number, "%u:", line);
	snprintf(text, CONFIG_PROBLEM_TEXT_MAX, "%s:%s%s%s%s %s", file, number, *path ? " " : "",
		path, *path ? ":" : "", message);
	return text;
}

static void print_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	char text[CONFIG_PROBLEM_TEXT_MAX];
	(void)context;
	fprintf(stderr, "%s\n", config_problem_text(text, file, line, path, message));
}

void config_errors_to_stderr(struct config_errors *errors)
{
	*errors = (struct config_errors){ .on_error = print_error };
}

/* What is needed for the time of the loading only. */
struct loading {
	struct config *config;
	struct config_errors *errors;
	struct source source;
	struct syntax_lines lines;
	struct arena scratch;
	struct problem_order problems;
};

/* "dir/file.conf" -> "dir", "file.conf" -> ".". */
static const char *directory_of(struct arena *memory, const char *file)
{
	const char *slash = strrchr(file, '/');
	if (!slash)
		return ".";
	char *directory = arena_text(memory, file);
	if (directory)
		directory[slash == file ? 1 : slash - file] = '\0';
	return directory;
}

static const char *join(struct arena *memory, const char *directory, const char *name)
{
	size_t len = strlen(directory) + strlen(name) + 2;
	char *joined = arena_take(memory, len, 1);
	if (joined)
		snprintf(joined, len, "%s/%s", directory, name);
	return joined;
}

static bool out_of_memory(struct loading *loading)
{
	problem_at(loading->errors, loading->config->file, 0, "", "out of memory");
	return false;
}

static void write_hash(char hash[CONFIG_HASH_LEN + 1], const struct source *source)
{
	XXH128_hash_t sum = XXH3_128bits(source->text, source->len);
	snprintf(hash, CONFIG_HASH_LEN + 1, "%016llx%016llx", (unsigned long long)sum.high64,
		(unsigned long long)sum.low64);
}

static bool keep_files(struct config *config, const struct source *source)
{
	struct config_file *files =
		arena_take(&config->memory, source->file_count + 1, sizeof *files);
	for (size_t i = 0; files && i < source->file_count; i++) {
		const struct source_file_read *from = &source->files[i];
		files[i].path = from->path ? arena_text(&config->memory, from->path) : "";
		memcpy(files[i].hash, from->hash, sizeof files[i].hash);
		if (!files[i].path)
			return false;
	}
	config->files = files;
	config->file_count = files && source->files[0].path ? source->file_count : 0;
	return files != NULL;
}

static bool fill_config(struct loading *loading, const struct setting *root)
{
	struct draft draft;
	struct value_reader reader = {
		.errors = loading->errors,
		.memory = &loading->config->memory,
		.scratch = &loading->scratch,
		.directory = loading->config->directory,
	};
	struct resolve resolve = {
		.draft = &draft,
		.config = loading->config,
		.errors = loading->errors,
		.scratch = &loading->scratch,
	};
	walk_settings(&reader, root, &draft);
	if (!reader.no_memory)
		resolve_draft(&resolve);
	if (reader.no_memory || resolve.no_memory)
		return out_of_memory(loading);
	return loading->errors->count == 0;
}

/* From the text to the configuration. What is broken ends it where the rest could not be trusted;
 * all other problems are collected. */
static bool load(struct loading *loading)
{
	struct source *source = &loading->source;
	if (source->broken)
		return false;
	write_hash(loading->config->hash, source);
	bool readable = syntax_check(source, &loading->lines);
	if (source->no_memory || !keep_files(loading->config, source))
		return out_of_memory(loading);
	if (!readable)
		return false;
	const struct setting *root = tree_read(source, &loading->lines, &loading->scratch);
	return root && fill_config(loading, root);
}

/* Where the bytes are: `text`, or else copies of the files in a directory, or else the files. */
struct origin {
	const struct slice *text;
	const char *copies;
};

static void read_source(struct loading *loading, const struct origin *origin)
{
	struct config *config = loading->config;
	const char *directory = origin->copies ? origin->copies : config->directory;
	source_init(&loading->source, origin->text ? NULL : directory, &loading->scratch,
		loading->errors);
	if (origin->text) {
		source_read_text(&loading->source, config->file, *origin->text);
		return;
	}
	const char *slash = strrchr(config->file, '/');
	const char *file = origin->copies
		? join(&loading->scratch, origin->copies, slash ? slash + 1 : config->file)
		: config->file;
	if (file)
		source_read_file(&loading->source, file);
	else
		loading->source.no_memory = loading->source.broken = true;
}

static struct config *load_from(
	const char *file, const struct origin *origin, struct config_errors *errors)
{
	struct loading loading = { .config = calloc(1, sizeof(struct config)) };
	struct config *config = loading.config;
	loading.errors = problem_order_begin(&loading.problems, &loading.scratch, errors);
	if (!config) {
		problem_at(errors, file, 0, "", "out of memory");
		return NULL;
	}
	config->file = arena_text(&config->memory, file);
	config->directory = directory_of(&config->memory, file);
	bool fine = config->file && config->directory;
	if (!fine)
		problem_at(loading.errors, file, 0, "", "out of memory");
	if (fine)
		read_source(&loading, origin);
	fine = fine && load(&loading);
	problem_order_end(&loading.problems);
	source_deinit(&loading.source);
	syntax_lines_free(&loading.lines);
	arena_free(&loading.scratch);
	if (fine && loading.errors->count == 0)
		return config;
	config_free(config);
	return NULL;
}

struct config *config_load(const char *file, struct config_errors *errors)
{
	return load_from(file, &(struct origin){ .copies = NULL }, errors);
}

struct config *config_load_text(const char *file, struct slice text, struct config_errors *errors)
{
	return load_from(file, &(struct origin){ .text = &text }, errors);
}

struct config *config_load_copies(
	const char *file, const char *copies, struct config_errors *errors)
{
	return load_from(file, &(struct origin){ .copies = copies }, errors);
}

static void ignore_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context, (void)file, (void)line, (void)path, (void)message;
}

bool config_text_hash(const char *file, char hash[CONFIG_HASH_LEN + 1])
{
	struct arena scratch = { 0 };
	struct config_errors errors = { .on_error = ignore_error };
	struct source source;
	const char *directory = directory_of(&scratch, file);
	source_init(&source, directory, &scratch, &errors);
	if (directory)
		source_read_file(&source, file);
	bool good = directory && !source.broken;
	if (good)
		write_hash(hash, &source);
	source_deinit(&source);
	arena_free(&scratch);
	return good;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	arena_free(&config->memory);
	free(config);
}

static bool is_member(const struct config *config, size_t upstream)
{
	for (size_t i = 0; i < config->upstream_group_count; i++)
		for (size_t j = 0; j < config->upstream_groups[i].member_count; j++)
			if (config->upstream_groups[i].members[j] == upstream)
				return true;
	return false;
}

static void tell_idle_upstreams(const struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (!is_member(config, i) &&
			!upstreams_have_bootstrap(config->upstreams, config->upstream_count, i))
			log_warning(
				"config: upstream \"%s\" of line %u is in no upstream group and "
				"nobody's bootstrap, so it is never asked",
				config->upstreams[i].name, config->upstreams[i].line);
}

static void tell_clear_listeners(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].kind == LISTENER_DOH_CLEAR &&
			!resolve_is_loopback(&config->listeners[i].address))
			log_warning("config: listener \"%s\" of line %u takes requests without TLS "
				    "from other machines: whoever is on the way reads and changes "
				    "them",
				config->listeners[i].name, config->listeners[i].line);
}

void config_log_notes(const struct config *config)
{
	tell_idle_upstreams(config);
	tell_clear_listeners(config);
	if (config->allow_open_resolver)
		log_warning("config: allow_open_resolver is set: views without clients serve "
			    "strangers");
}

static bool same_workers(const struct config *a, const struct config *b)
{
	return a->workers == b->workers;
}

static bool same_networks(
	const struct network *a, size_t a_count, const struct network *b, size_t b_count)
{
	return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof *a) == 0);
}

static bool same_listener(const struct listener_config *a, const struct listener_config *b)
{
	return a->kind == b->kind && a->port == b->port && same_text(a->name, b->name) &&
		same_text(a->path, b->path) &&
		memcmp(&a->address, &b->address, sizeof a->address) == 0 &&
		same_networks(a->proxy_protocol_from, a->proxy_protocol_from_count,
			b->proxy_protocol_from, b->proxy_protocol_from_count) &&
		same_networks(a->forwarded_from, a->forwarded_from_count, b->forwarded_from,
			b->forwarded_from_count) &&
		a->json == b->json;
}

/* Their order counts too: views name them by index. */
static bool same_listeners(const struct config *a, const struct config *b)
{
	bool same = a->listener_count == b->listener_count;
	for (size_t i = 0; same && i < a->listener_count; i++)
		same = same_listener(&a->listeners[i], &b->listeners[i]);
	return same;
}

static bool same_admin(const struct config *a, const struct config *b)
{
	return a->admin_port == b->admin_port &&
		memcmp(&a->admin_address, &b->admin_address, sizeof a->admin_address) == 0;
}

static bool same_query_log(const struct config *a, const struct config *b)
{
	const struct query_log_config *left = &a->query_log, *right = &b->query_log;
	return same_text(left->file, right->file) && left->format == right->format &&
		same_text(left->account_id, right->account_id) &&
		same_text(left->region, right->region) &&
		left->buffer_bytes == right->buffer_bytes &&
		same_text(left->hash_key_file, right->hash_key_file);
}

static bool same_control_socket(const struct config *a, const struct config *b)
{
	return same_text(a->control_socket, b->control_socket);
}

static bool same_state_directory(const struct config *a, const struct config *b)
{
	return same_text(a->state_directory, b->state_directory);
}

static bool same_user(const struct config *a, const struct config *b)
{
	return same_text(a->user, b->user);
}

static bool same_group(const struct config *a, const struct config *b)
{
	return same_text(a->group, b->group);
}

static bool same_hardening(const struct config *a, const struct config *b)
{
	const struct hardening_config *left = &a->hardening, *right = &b->hardening;
	return left->seccomp == right->seccomp && left->landlock == right->landlock &&
		left->no_core == right->no_core;
}

static bool same_cache_size(const struct config *a, const struct config *b)
{
	return a->cache.size == b->cache.size;
}

static bool same_cache_file(const struct config *a, const struct config *b)
{
	return same_text(a->cache.file, b->cache.file);
}

static bool same_connections(const struct config *a, const struct config *b)
{
	return a->limits.connections == b->limits.connections;
}

static bool same_queries(const struct config *a, const struct config *b)
{
	return a->limits.queries == b->limits.queries;
}

static const struct {
	const char *name;
	bool (*same)(const struct config *a, const struct config *b);
} restart_settings[] = {
	{ "workers", same_workers },
	{ "listeners", same_listeners },
	{ "query_log", same_query_log },
	{ "admin", same_admin },
	{ "control_socket", same_control_socket },
	{ "state_directory", same_state_directory },
	{ "user", same_user },
	{ "group", same_group },
	{ "hardening", same_hardening },
	{ "cache.size", same_cache_size },
	{ "cache.file", same_cache_file },
	{ "limits.connections", same_connections },
	{ "limits.queries", same_queries },
};

const char *config_needs_restart(const struct config *running, const struct config *wanted)
{
	for (size_t i = 0; i < sizeof restart_settings / sizeof restart_settings[0]; i++)
		if (!restart_settings[i].same(running, wanted))
			return restart_settings[i].name;
	return NULL;
}

const char *config_library_version(void)
{
	return tree_library_version();
}
