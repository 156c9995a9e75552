#include "tls/context.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/utc.h"
#include "tls/private.h"

enum { TWINS_TOLD_MAX = 4 };

/* Certificates with the same names: one for each kind of key. OpenSSL gives each client one that
 * it has a signature algorithm for. */
struct group {
	SSL_CTX *openssl;
	const struct tls_pair *pairs[TLS_KEY_KINDS];
	const struct tls_alt_names *alt_names;
};

struct tls_context {
	atomic_size_t references;
	struct tls_pair **pairs;
	size_t pair_count;
	struct group *groups; /* the first is for whoever names none of the others' names */
	size_t group_count;
	struct tls_name_table names;
	struct tls_client_ca *client_ca; /* NULL: clients are not asked */
	struct tls_tickets tickets;
};

struct loading {
	struct tls_context *context;
	const struct tls_context *before; /* NULL: nothing */
	const struct tls_context_files *files;
	const struct tls_problems *problems; /* NULL: the first one ends it */
	bool is_news;                        /* has anything changed? */
	char *message;
};

__attribute__((format(printf, 2, 3))) static bool load_fail(
	const struct loading *loading, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(loading->message, TLS_MESSAGE_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* True when one can go on with what there was before. */
static bool tell_problem(const struct loading *loading, const void *before, const char *message)
{
	if (!loading->problems)
		return false;
	loading->problems->on_problem(loading->problems->context, message);
	return before;
}

/* --- what it is made of; each part by itself --- */

static struct tls_pair *pair_before(
	const struct tls_context *before, const struct tls_certificate_files *files)
{
	for (size_t i = 0; before && i < before->pair_count; i++)
		if (strcmp(before->pairs[i]->file, files->certificate) == 0 &&
			strcmp(before->pairs[i]->key_file, files->key) == 0)
			return before->pairs[i];
	return NULL;
}

static bool same_pair(const struct tls_pair *a, const struct tls_pair *b)
{
	return a && b && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static bool load_pair(struct loading *loading, size_t index)
{
	const struct tls_certificate_files *files = &loading->files->certificates[index];
	struct tls_pair *before = pair_before(loading->before, files);
	struct tls_pair *pair = tls_pair_load(files, before, loading->message);
	if (!pair && !tell_problem(loading, before, loading->message))
		return false;
	if (pair && pair->ocsp_fault)
		tell_problem(loading, pair, pair->ocsp_fault);
	if (!pair || same_pair(pair, before)) {
		tls_pair_unref(pair);
		pair = tls_pair_ref(before);
	}
	loading->is_news |= pair != before;
	loading->context->pairs[loading->context->pair_count++] = pair;
	return true;
}

static bool load_pairs(struct loading *loading)
{
	size_t count = loading->files->certificate_count;
	loading->context->pairs = OPENSSL_zalloc(count * sizeof *loading->context->pairs);
	bool done = loading->context->pairs || load_fail(loading, "tls: out of memory");
	for (size_t i = 0; done && i < count; i++)
		done = load_pair(loading, i);
	return done;
}

static bool load_ticket_keys(struct loading *loading)
{
	struct tls_ticket_ring *before = loading->before ? loading->before->tickets.ring : NULL;
	if (!loading->files->ticket_keys)
		return true;
	struct tls_ticket_ring *ring =
		tls_ticket_ring_load(loading->files->ticket_keys, loading->message);
	if (!ring && !tell_problem(loading, before, loading->message))
		return false;
	if (!ring || (before && tls_ticket_ring_equal(ring, before))) {
		tls_ticket_ring_unref(ring);
		ring = tls_ticket_ring_ref(before);
	}
	loading->is_news |= ring != before;
	loading->context->tickets.ring = ring;
	return true;
}

static bool same_clients(const struct tls_client_ca *a, const struct tls_client_ca *b)
{
	return a && b ? memcmp(a->digest, b->digest, sizeof a->digest) == 0 : !a && !b;
}

static bool load_client_ca(struct loading *loading)
{
	struct tls_client_ca *before = loading->before ? loading->before->client_ca : NULL;
	if (!loading->files->client_ca)
		return true;
	struct tls_client_ca *ca = tls_client_ca_load(loading->files, loading->message);
	if (!ca && !tell_problem(loading, before, loading->message))
		return false;
	if (!ca || same_clients(ca, before)) {
		tls_client_ca_unref(ca);
		ca = tls_client_ca_ref(before);
	}
	loading->is_news |= ca != before;
	loading->context->client_ca = ca;
	return true;
}

/* --- what OpenSSL makes of it --- */

/* SSL_CTX_set_recv_max_early_data keeps its default: early data that a client sends although we
 * never offered it is skipped, as RFC 8446 4.2.10 asks, and never read. */
static bool settings_apply(SSL_CTX *settings, struct tls_tickets *tickets)
{
	static const uint8_t session_context[] = "namegate";
	SSL_CTX_set_options(settings, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(settings, TLS_TICKET_KEY_PERIOD_S);
	SSL_CTX_set_verify(settings, SSL_VERIFY_NONE, NULL);
	return tls_settings_apply(settings) && SSL_CTX_set_num_tickets(settings, 1) == 1 &&
		SSL_CTX_set_max_early_data(settings, 0) == 1 &&
		SSL_CTX_set_session_id_context(
			settings, session_context, sizeof session_context - 1) == 1 &&
		tls_tickets_attach(tickets, settings);
}

/* For a client that asked. Which certificate it gets is settled by now. */
static int on_status_request(SSL *openssl, void *context)
{
	const struct group *group = context;
	X509 *leaf = SSL_get_certificate(openssl);
	const struct tls_pair *pair = NULL;
	for (unsigned i = 0; i < TLS_KEY_KINDS && !pair; i++)
		if (group->pairs[i] && tls_pair_leaf(group->pairs[i]) == leaf)
			pair = group->pairs[i];
	if (!pair || !pair->ocsp.der || !tls_ocsp_is_current(&pair->ocsp, (int64_t)time(NULL)))
		return SSL_TLSEXT_ERR_NOACK;
	uint8_t *copy = OPENSSL_memdup(pair->ocsp.der, pair->ocsp.len);
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(openssl, copy, (long)pair->ocsp.len); /* is OpenSSL's now */
	return SSL_TLSEXT_ERR_OK;
}

static bool group_open(struct tls_context *context, struct group *group)
{
	group->openssl = SSL_CTX_new(TLS_server_method());
	if (!group->openssl || !settings_apply(group->openssl, &context->tickets))
		return false;
	SSL_CTX_set_tlsext_status_cb(group->openssl, on_status_request);
	SSL_CTX_set_tlsext_status_arg(group->openssl, group);
	return !context->client_ca || tls_client_ca_apply(context->client_ca, group->openssl);
}

/* One with the same names whose key is of another kind. */
static struct group *find_group(struct tls_context *context, const struct tls_pair *pair)
{
	for (size_t i = 0; i < context->group_count; i++) {
		struct group *group = &context->groups[i];
		if (!group->pairs[pair->kind] &&
			tls_alt_names_equal(group->alt_names, &pair->alt_names))
			return group;
	}
	return NULL;
}

static bool place_pair(struct tls_context *context, const struct tls_pair *pair)
{
	struct group *group = find_group(context, pair);
	if (!group) {
		group = &context->groups[context->group_count++];
		group->alt_names = &pair->alt_names;
		if (!group_open(context, group))
			return false;
	}
	group->pairs[pair->kind] = pair;
	return tls_pair_use(pair, group->openssl);
}

/* The first group that has a name keeps it. */
static bool place_names(struct tls_context *context)
{
	size_t total = 0;
	for (size_t i = 0; i < context->group_count; i++)
		total += context->groups[i].alt_names->name_count;
	if (!tls_name_table_init(&context->names, total))
		return false;
	for (size_t i = 0; i < context->group_count; i++) {
		const struct tls_alt_names *names = context->groups[i].alt_names;
		for (size_t j = 0; j < names->name_count; j++)
			(void)tls_name_table_add(&context->names, names->names[j], (uint16_t)i);
	}
	return true;
}

static bool place_all(const struct loading *loading)
{
	struct tls_context *context = loading->context;
	context->groups = OPENSSL_zalloc(context->pair_count * sizeof *context->groups);
	bool done = context->groups;
	for (size_t i = 0; done && i < context->pair_count; i++)
		done = place_pair(context, context->pairs[i]);
	if (done && place_names(context))
		return true;
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	return load_fail(
		loading, "tls: cannot set up OpenSSL: %s", reason ? reason : "out of memory");
}

/* --- what is odd about it --- */

static void warn_of_twins(const struct tls_context *context, const struct tls_pair *pair)
{
	const struct tls_alt_names *names = &pair->alt_names;
	size_t told = 0;
	for (size_t i = 0; i < names->name_count && told < TWINS_TOLD_MAX; i++) {
		struct slice name = slice_of_text(names->names[i]);
		int number = tls_name_table_find(&context->names, name);
		const struct group *group = number < 0 ? NULL : &context->groups[number];
		if (!group || group->pairs[pair->kind] == pair)
			continue;
		const struct tls_pair *other = NULL;
		for (unsigned kind = 0; kind < TLS_KEY_KINDS && !other; kind++)
			other = group->pairs[kind];
		told++;
		log_warning("tls: certificate \"%s\": the name %s is in \"%s\" too, which is the "
			    "one that clients get",
			pair->file, names->names[i], other->file);
	}
}

static void tell_change(const struct tls_pair *pair)
{
	char text[UTC_TEXT_LEN];
	struct writer to = writer_of(text, sizeof text);
	utc_write(&to, pair->not_after_s);
	log_info("tls: certificate \"%s\" was read again, good until %.*s", pair->file,
		UTC_TEXT_LEN, text);
}

static void tell_pairs(const struct loading *loading)
{
	const struct tls_context *context = loading->context;
	for (size_t i = 0; i < context->pair_count; i++) {
		const struct tls_pair *pair = context->pairs[i];
		struct tls_pair *before =
			pair_before(loading->before, &loading->files->certificates[i]);
		if (pair == before)
			continue;
		if (loading->problems)
			tell_change(pair);
		tls_pair_warn(pair, before);
		warn_of_twins(context, pair);
	}
}

static void tell_rest(const struct loading *loading)
{
	const struct tls_context *context = loading->context, *before = loading->before;
	const struct tls_ticket_ring *ring = context->tickets.ring;
	if (context->client_ca && (!before || context->client_ca != before->client_ca))
		tls_client_ca_warn(context->client_ca, loading->files);
	if (!ring || (before && ring == before->tickets.ring))
		return;
	if (loading->problems)
		log_info("tls: ticket_key_file \"%s\" was read again", loading->files->ticket_keys);
	if (tls_ticket_ring_is_open_to_all(ring))
		log_warning("tls: ticket_key_file \"%s\" can be read by every user of this machine",
			loading->files->ticket_keys);
}

/* --- life --- */

static void context_free(struct tls_context *context)
{
	for (size_t i = 0; i < context->group_count; i++)
		SSL_CTX_free(context->groups[i].openssl);
	for (size_t i = 0; i < context->pair_count; i++)
		tls_pair_unref(context->pairs[i]);
	tls_name_table_deinit(&context->names);
	tls_client_ca_unref(context->client_ca);
	tls_ticket_ring_unref(context->tickets.ring);
	OPENSSL_free(context->groups);
	OPENSSL_free(context->pairs);
	OPENSSL_free(context);
}

/* NULL after a failure, or when all is as it was. */
static struct tls_context *context_load(struct loading *loading, struct tls_ticket_keys *keys)
{
	struct tls_context *context = OPENSSL_zalloc(sizeof *context);
	loading->message[0] = '\0';
	ERR_clear_error();
	if (!context) {
		load_fail(loading, "tls: out of memory");
		return NULL;
	}
	loading->context = context;
	atomic_init(&context->references, 1);
	context->tickets.own = keys;
	bool done = load_pairs(loading) && load_client_ca(loading) && load_ticket_keys(loading) &&
		(loading->is_news || !loading->problems) && place_all(loading);
	ERR_clear_error();
	if (!done) {
		context_free(context);
		return NULL;
	}
	tell_pairs(loading);
	tell_rest(loading);
	loading->message[0] = '\0';
	return context;
}

struct tls_context *tls_context_load_files(const struct tls_context_files *files,
	const struct tls_context *before, struct tls_ticket_keys *keys,
	char message[TLS_MESSAGE_MAX])
{
	struct loading loading = { .files = files, .before = before, .message = message };
	return context_load(&loading, keys);
}

struct tls_context *tls_context_load(const char *certificate_file, const char *key_file,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX])
{
	const struct tls_certificate_files certificate = { .certificate = certificate_file,
		.key = key_file };
	const struct tls_context_files files = { .certificates = &certificate,
		.certificate_count = 1 };
	return tls_context_load_files(&files, NULL, keys, message);
}

struct tls_context *tls_context_reload(struct tls_context *before,
	const struct tls_context_files *files, struct tls_ticket_keys *keys,
	const struct tls_problems *problems)
{
	char message[TLS_MESSAGE_MAX];
	struct loading loading = {
		.files = files, .before = before, .problems = problems, .message = message
	};
	struct tls_context *context = context_load(&loading, keys);
	if (context)
		return context;
	if (loading.is_news)
		problems->on_problem(problems->context, message);
	return tls_context_ref(before);
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
	return context;
}

void tls_context_unref(struct tls_context *context)
{
	if (context &&
		atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) == 1)
		context_free(context);
}

/* --- what others want to know --- */

size_t tls_context_certificate_count(const struct tls_context *context)
{
	return context->pair_count;
}

struct tls_certificate_state tls_context_certificate(
	const struct tls_context *context, size_t index)
{
	const struct tls_pair *pair = context->pairs[index];
	return (struct tls_certificate_state){ .file = pair->file,
		.not_after_s = pair->not_after_s,
		.has_ocsp = pair->has_ocsp_file,
		.ocsp_end_s = pair->ocsp.der ? pair->ocsp.next_update_s : 0 };
}

int64_t tls_context_not_after_s(const struct tls_context *context)
{
	int64_t earliest_s = context->pairs[0]->not_after_s;
	for (size_t i = 1; i < context->pair_count; i++)
		if (context->pairs[i]->not_after_s < earliest_s)
			earliest_s = context->pairs[i]->not_after_s;
	return earliest_s;
}

static const struct tls_alt_names *first_names(const struct tls_context *context)
{
	return &context->pairs[0]->alt_names;
}

bool tls_context_has_address(const struct tls_context *context, const struct address *address)
{
	const struct tls_alt_names *names = first_names(context);
	for (size_t i = 0; i < names->address_count; i++)
		if (memcmp(&names->addresses[i], address, sizeof *address) == 0)
			return true;
	return false;
}

const struct address *tls_context_addresses(const struct tls_context *context, size_t *count)
{
	*count = first_names(context)->address_count;
	return first_names(context)->addresses;
}

const char *tls_context_name(const struct tls_context *context)
{
	return first_names(context)->name;
}

bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b)
{
	return same_clients(a->client_ca, b->client_ca);
}

bool tls_context_requires(const struct tls_context *context)
{
	return context->client_ca && context->client_ca->is_required;
}

SSL_CTX *tls_context_openssl(const struct tls_context *context)
{
	return context->groups[0].openssl;
}

bool tls_context_choose(const struct tls_context *context, SSL *openssl, struct slice name)
{
	int number = tls_name_table_find(&context->names, name);
	return number <= 0 || SSL_set_SSL_CTX(openssl, context->groups[number].openssl);
}
