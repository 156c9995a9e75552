#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tls/private.h"

/* The chain goes out in the server's first flight, which has to fit into TLS_OUT_MIN. */
enum { CHAIN_BYTES_MAX = 24 * 1024, RSA_BITS_MIN = 2048, RSA_BITS_SLOW = 4096 };

struct tls_context {
	atomic_size_t references;
	SSL_CTX *openssl;
	int64_t not_after_s;
	struct tls_alt_names alt_names;
	uint8_t client_ca[TLS_CLIENT_CA_LEN]; /* zeros: clients are not asked */
	bool client_required;
};

struct pair {
	const struct tls_context_files *files;
	STACK_OF(X509) * chain; /* the leaf first */
	EVP_PKEY *key;
	char *message;
};

static X509 *pair_leaf(const struct pair *pair)
{
	return sk_X509_value(pair->chain, 0);
}

__attribute__((format(printf, 2, 3))) static bool pair_fail(
	const struct pair *pair, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(pair->message, TLS_MESSAGE_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* OpenSSL's reason for what just failed, e.g. "ee key too small". */
static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	return reason ? reason : "no reason given";
}

static bool pair_key_matches(const struct pair *pair)
{
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		X509 *certificate = sk_X509_value(pair->chain, i);
		EVP_PKEY *public_key = X509_get0_pubkey(certificate);
		if (!public_key || EVP_PKEY_eq(public_key, pair->key) != 1)
			continue;
		return i == 0 ||
			pair_fail(pair,
				"certificate \"%s\": the key belongs to certificate number %d; the "
				"server's own must come first",
				pair->files->certificate, i + 1);
	}
	return pair_fail(pair, "key \"%s\" does not match certificate \"%s\"", pair->files->key,
		pair->files->certificate);
}

static bool pair_key_is_sane(const struct pair *pair)
{
	int kind = EVP_PKEY_get_base_id(pair->key);
	int bits = EVP_PKEY_get_bits(pair->key);
	if (kind == EVP_PKEY_RSA && bits < RSA_BITS_MIN)
		return pair_fail(pair, "key \"%s\": RSA of %d bits is too short, %d at least",
			pair->files->key, bits, RSA_BITS_MIN);
	if (kind == EVP_PKEY_RSA && bits > RSA_BITS_SLOW)
		log_warning("tls: key \"%s\": RSA of %d bits makes each handshake slow",
			pair->files->key, bits);
	if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC || kind == EVP_PKEY_ED25519)
		return true;
	return pair_fail(pair, "key \"%s\": neither ECDSA, RSA nor Ed25519", pair->files->key);
}

static bool pair_chain_is_sane(const struct pair *pair)
{
	int total = 0;
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		int len = i2d_X509(sk_X509_value(pair->chain, i), NULL);
		total += len > 0 ? len : 0;
	}
	if (total > CHAIN_BYTES_MAX)
		return pair_fail(pair, "certificate \"%s\": a chain of %d bytes, %d at most",
			pair->files->certificate, total, CHAIN_BYTES_MAX);
	for (int i = 1; i < sk_X509_num(pair->chain); i++)
		if (X509_check_issued(sk_X509_value(pair->chain, i),
			    sk_X509_value(pair->chain, i - 1)) != X509_V_OK)
			log_warning("tls: certificate \"%s\": number %d in it did not sign number "
				    "%d; clients may refuse it",
				pair->files->certificate, i + 1, i);
	return true;
}

int64_t tls_asn1_seconds(const ASN1_TIME *when)
{
	struct tm broken_down = { 0 };
	if (ASN1_TIME_to_tm(when, &broken_down) != 1)
		return 0;
	return timegm(&broken_down);
}

/* Warnings only: a server with an expired certificate still serves those who do not look, and an
 * operator who restarts it at night needs it up. */
static void pair_warn_of_leaf(const struct pair *pair)
{
	X509 *leaf = pair_leaf(pair);
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		log_warning("tls: certificate \"%s\" has expired", pair->files->certificate);
	if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		log_warning("tls: certificate \"%s\" is not valid yet", pair->files->certificate);
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		log_warning("tls: certificate \"%s\" is not one for a TLS server",
			pair->files->certificate);
	if (X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) < 0)
		log_warning("tls: certificate \"%s\" has no subjectAltName; clients will refuse it",
			pair->files->certificate);
}

/* SSL_CTX_set_recv_max_early_data keeps its default: early data that a client sends although we
 * never offered it is skipped, as RFC 8446 4.2.10 asks, and never read. */
static bool settings_apply(SSL_CTX *settings, struct tls_ticket_keys *keys)
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
		tls_ticket_keys_attach(keys, settings);
}

static bool settings_use_pair(SSL_CTX *settings, const struct pair *pair)
{
	STACK_OF(X509) *rest = sk_X509_dup(pair->chain);
	if (!rest)
		return false;
	sk_X509_shift(rest);
	bool done = SSL_CTX_use_cert_and_key(settings, pair_leaf(pair), pair->key, rest, 1) == 1;
	sk_X509_free(rest);
	return done;
}

static bool context_ask_clients(
	struct tls_context *context, SSL_CTX *settings, const struct pair *pair)
{
	const struct tls_context_files *files = pair->files;
	context->client_required = files->client_ca && files->client_required;
	return !files->client_ca ||
		tls_client_ca_apply(settings, files, context->client_ca, pair->message);
}

static struct tls_context *context_new(const struct pair *pair, struct tls_ticket_keys *keys)
{
	struct tls_context *context = OPENSSL_zalloc(sizeof *context);
	SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
	if (!context || !settings || !settings_apply(settings, keys)) {
		pair_fail(pair, "tls: cannot set up OpenSSL: %s", openssl_reason());
		goto failed;
	}
	if (!tls_alt_names_read(&context->alt_names, pair_leaf(pair))) {
		pair_fail(pair, "certificate \"%s\": out of memory", pair->files->certificate);
		goto failed;
	}
	if (!settings_use_pair(settings, pair)) {
		pair_fail(pair, "certificate \"%s\": OpenSSL refuses it: %s",
			pair->files->certificate, openssl_reason());
		goto failed;
	}
	if (!context_ask_clients(context, settings, pair))
		goto failed;
	atomic_init(&context->references, 1);
	context->openssl = settings;
	context->not_after_s = tls_asn1_seconds(X509_get0_notAfter(pair_leaf(pair)));
	return context;
failed:
	SSL_CTX_free(settings);
	if (context)
		tls_alt_names_free(&context->alt_names);
	OPENSSL_free(context);
	return NULL;
}

struct tls_context *tls_context_load(const char *certificate_file, const char *key_file,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX])
{
	const struct tls_context_files files = { .certificate = certificate_file, .key = key_file };
	return tls_context_load_files(&files, keys, message);
}

struct tls_context *tls_context_load_files(const struct tls_context_files *files,
	struct tls_ticket_keys *keys, char message[TLS_MESSAGE_MAX])
{
	struct pair pair = { .files = files, .message = message };
	struct tls_context *context = NULL;
	message[0] = '\0';
	ERR_clear_error();
	pair.chain = tls_pem_certificates(files->certificate, message);
	if (pair.chain)
		pair.key = tls_pem_key(files->key, message);
	if (pair.key && pair_key_matches(&pair) && pair_key_is_sane(&pair) &&
		pair_chain_is_sane(&pair))
		context = context_new(&pair, keys);
	if (context)
		pair_warn_of_leaf(&pair);
	EVP_PKEY_free(pair.key);
	sk_X509_pop_free(pair.chain, X509_free);
	ERR_clear_error();
	return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
	return context;
}

void tls_context_unref(struct tls_context *context)
{
	if (!context ||
		atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(context->openssl);
	tls_alt_names_free(&context->alt_names);
	OPENSSL_free(context);
}

int64_t tls_context_not_after_s(const struct tls_context *context)
{
	return context->not_after_s;
}

bool tls_context_has_address(const struct tls_context *context, const struct address *address)
{
	for (size_t i = 0; i < context->alt_names.address_count; i++)
		if (memcmp(&context->alt_names.addresses[i], address, sizeof *address) == 0)
			return true;
	return false;
}

const struct address *tls_context_addresses(const struct tls_context *context, size_t *count)
{
	*count = context->alt_names.address_count;
	return context->alt_names.addresses;
}

const char *tls_context_name(const struct tls_context *context)
{
	return context->alt_names.name;
}

bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b)
{
	return memcmp(a->client_ca, b->client_ca, sizeof a->client_ca) == 0;
}

bool tls_context_requires(const struct tls_context *context)
{
	return context->client_required;
}

SSL_CTX *tls_context_openssl(const struct tls_context *context)
{
	return context->openssl;
}
