#include "tls/client.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/directory.h"
#include "tls/base64.h"
#include "tls/private.h"

enum { NAME_TEXT_MAX = 253, LABEL_MAX = 63 };

struct tls_client {
	atomic_size_t references;
	SSL_CTX *openssl;
	char name[NAME_TEXT_MAX + 1]; /* "": none is known */
	struct address address;       /* counts where there is no name */
	bool has_address;
	bool is_by_pin_alone; /* nothing else is known of the peer */
	enum tls_alpn alpn;
	struct tls_pin *pins;
	size_t pin_count;
	struct tls_sessions sessions;
};

/* --- pins --- */

bool tls_pin_parse(struct tls_pin *pin, const char *text)
{
	struct tls_pin parsed;
	if (!base64_read(slice_of_text(text), parsed.sha256, sizeof parsed.sha256))
		return false;
	*pin = parsed;
	return true;
}

static bool client_pins_certificate(const struct tls_client *client, X509 *certificate)
{
	struct tls_pin pin;
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	bool done =
		len > 0 && EVP_Digest(spki, (size_t)len, pin.sha256, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(spki);
	for (size_t i = 0; done && i < client->pin_count; i++)
		if (memcmp(client->pins[i].sha256, pin.sha256, sizeof pin.sha256) == 0)
			return true;
	return false;
}

static bool client_pins_one_of(const struct tls_client *client, STACK_OF(X509) * chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (client_pins_certificate(client, sk_X509_value(chain, i)))
			return true;
	return false;
}

/* --- whom to believe --- */

static const char *word_for(int verify_error)
{
	switch (verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return "certificate_name";
	default: return "certificate_untrusted";
	}
}

static int client_refuse(X509_STORE_CTX *check, const char *word, const char *reason)
{
	SSL *openssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
	tls_stream_refuse(openssl, word, reason);
	return 0;
}

/* Instead of OpenSSL's own check, which knows no pins: all of that check, then the pins. With
 * nothing but pins only the leaf counts, the one key that the handshake proves the peer to have;
 * the rest of what it sent is then just a list of certificates that anybody could send. */
static int on_certificate(X509_STORE_CTX *check, void *of_client)
{
	struct tls_client *client = of_client;
	if (!client->is_by_pin_alone && X509_verify_cert(check) <= 0) {
		int error = X509_STORE_CTX_get_error(check);
		if (error == X509_V_OK) /* then it is something else, and not good either */
			error = X509_V_ERR_UNSPECIFIED;
		X509_STORE_CTX_set_error(check, error);
		return client_refuse(check, word_for(error), X509_verify_cert_error_string(error));
	}
	bool is_pinned = client->is_by_pin_alone
		? client_pins_certificate(client, X509_STORE_CTX_get0_cert(check))
		: client->pin_count == 0 ||
			client_pins_one_of(client, X509_STORE_CTX_get0_chain(check));
	if (is_pinned) {
		X509_STORE_CTX_set_error(check, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION);
	return client_refuse(check, "certificate_pin", "none of its keys is pinned");
}

/* --- settings --- */

__attribute__((format(printf, 2, 3))) static bool fail(char *message, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, TLS_MESSAGE_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* OpenSSL takes an empty name for "do not check", and a leading dot for "any name below": nothing
 * but the letters of a host name gets there. */
bool tls_name_is_sane(const char *name, size_t len)
{
	size_t label_len = 0;
	if (len == 0 || len > NAME_TEXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_dot = name[i] == '.';
		if (is_dot && label_len == 0)
			return false;
		if (!is_dot && !isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
			return false;
		label_len = is_dot ? 0 : label_len + 1;
		if (label_len > LABEL_MAX)
			return false;
	}
	return label_len > 0;
}

/* The name of an absolute name in a certificate has no dot at its end. */
static bool client_take_name(struct tls_client *client, const char *name, char *message)
{
	size_t len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (!tls_name_is_sane(name, len))
		return fail(message, "tls name \"%s\": not a host name", name);
	memcpy(client->name, name, len);
	return true;
}

static bool client_take_pins(
	struct tls_client *client, const struct tls_pin *pins, size_t count, char *message)
{
	if (count == 0)
		return true;
	client->pins = OPENSSL_malloc(count * sizeof *pins);
	if (!client->pins)
		return fail(message, "tls: out of memory");
	memcpy(client->pins, pins, count * sizeof *pins);
	client->pin_count = count;
	return true;
}

static bool client_take_identity(
	struct tls_client *client, const struct tls_client_settings *settings, char *message)
{
	client->alpn = settings->alpn;
	client->is_by_pin_alone = !settings->name && !settings->address && !settings->ca_file;
	if (!settings->name && !settings->address && settings->pin_count == 0)
		return fail(message, "tls: neither a name, an address nor a pin to know it by");
	if (settings->address) {
		client->address = *settings->address;
		client->has_address = true;
	}
	/* Certificates have addresses in a field of their own, and SNI has none (RFC 6066 3). */
	if (settings->name && address_parse(&client->address, settings->name))
		client->has_address = true;
	else if (settings->name && !client_take_name(client, settings->name, message))
		return false;
	return client_take_pins(client, settings->pins, settings->pin_count, message);
}

/* Whole labels only for wildcards, and never the common name (RFC 9525 2, 6.3). */
static bool client_expect_identity(const struct tls_client *client)
{
	X509_VERIFY_PARAM *expected = SSL_CTX_get0_param(client->openssl);
	X509_VERIFY_PARAM_set_hostflags(expected,
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (client->name[0])
		return X509_VERIFY_PARAM_set1_host(expected, client->name, 0) == 1;
	if (!client->has_address)
		return true;
	const uint8_t *bytes = client->address.bytes;
	return address_is_v4(&client->address)
		? X509_VERIFY_PARAM_set1_ip(expected, bytes + 12, 4) == 1
		: X509_VERIFY_PARAM_set1_ip(expected, bytes, 16) == 1;
}

/* --- authorities --- */

/* What the file names is believed, whether it signed itself or not: an operator who names an
 * intermediate authority, or the server's certificate, means it. */
static bool client_trust_file(const struct tls_client *client, const char *file, char *message)
{
	STACK_OF(X509) *certificates = tls_pem_authorities(file, message);
	if (!certificates)
		return false;
	X509_STORE *store = SSL_CTX_get_cert_store(client->openssl);
	bool done = true;
	for (int i = 0; done && i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);
		/* Its extensions are read now, and not by whichever thread looks first. */
		(void)X509_check_purpose(certificate, -1, 0);
		done = X509_STORE_add_cert(store, certificate) == 1;
	}
	sk_X509_pop_free(certificates, X509_free);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(client->openssl), X509_V_FLAG_PARTIAL_CHAIN);
	return done || fail(message, "authorities \"%s\": out of memory", file);
}

/* As OpenSSL itself asks for them. */
static const char *system_path(const char *variable, const char *otherwise)
{
	const char *path = secure_getenv(variable);
	return path ? path : otherwise;
}

/* "4042bcee.0": the hash of an authority's name and a number. */
static bool is_hashed(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
		isdigit((unsigned char)name[9]);
}

static bool directory_has_authorities(const char *path)
{
	DIR *directory = directory_open(path);
	const struct dirent *entry = directory ? readdir(directory) : NULL;
	while (entry && !is_hashed(entry->d_name))
		entry = readdir(directory);
	if (directory)
		closedir(directory);
	return entry != NULL;
}

/* OpenSSL finds nothing wrong with a system without authorities (a slim container image), and each
 * handshake would fail later. It reads the file at once, the directory whenever it needs one. */
static bool client_trust_system(const struct tls_client *client, char *message)
{
	const char *file =
		system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file());
	const char *directory =
		system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
	if (SSL_CTX_set_default_verify_paths(client->openssl) != 1)
		return fail(message, "tls: cannot read the system's authorities");
	ERR_clear_error(); /* a file that is not there leaves something */
	const X509_STORE *store = SSL_CTX_get_cert_store(client->openssl);
	if (sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0 ||
		directory_has_authorities(directory))
		return true;
	return fail(message,
		"tls: this system has no certificate authorities, neither in \"%s\" nor in \"%s\"; "
		"install ca-certificates, or name a file of authorities, or a pin",
		file, directory);
}

static bool client_trust(const struct tls_client *client, const char *ca_file, char *message)
{
	if (client->is_by_pin_alone)
		return true;
	return ca_file ? client_trust_file(client, ca_file, message)
		       : client_trust_system(client, message);
}

/* --- life --- */

/* In TLS 1.3 for each ticket, in TLS 1.2 once per full handshake. Returns whether it keeps the
 * session itself: never, see sessions.c. */
static int on_session(SSL *openssl, SSL_SESSION *session)
{
	struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(openssl));
	tls_sessions_put(&client->sessions, session);
	return 0;
}

static bool client_offer_alpn(const struct tls_client *client)
{
	static const struct slice offers[] = {
		[TLS_ALPN_DOT] = { (const uint8_t *)"\3dot", 4 },
		[TLS_ALPN_H2] = { (const uint8_t *)"\2h2", 3 },
	};
	struct slice offer = offers[client->alpn];
	return SSL_CTX_set_alpn_protos(client->openssl, offer.at, (unsigned)offer.len) == 0;
}

static bool client_set_up(struct tls_client *client, const char *ca_file, char *message)
{
	client->openssl = SSL_CTX_new(TLS_client_method());
	if (!client->openssl || !tls_settings_apply(client->openssl) ||
		SSL_CTX_set_app_data(client->openssl, client) != 1 || !client_offer_alpn(client) ||
		!client_expect_identity(client))
		return fail(message, "tls: cannot set up OpenSSL");
	SSL_CTX_set_verify(client->openssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(client->openssl, on_certificate, client);
	SSL_CTX_set_session_cache_mode(
		client->openssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client->openssl, on_session);
	return client_trust(client, ca_file, message);
}

static void client_free(struct tls_client *client)
{
	SSL_CTX_free(client->openssl);
	tls_sessions_deinit(&client->sessions);
	OPENSSL_free(client->pins);
	OPENSSL_free(client);
}

struct tls_client *tls_client_new(
	const struct tls_client_settings *settings, char message[TLS_MESSAGE_MAX])
{
	message[0] = '\0';
	struct tls_client *client = OPENSSL_zalloc(sizeof *client);
	if (!client || !tls_sessions_init(&client->sessions)) {
		fail(message, "tls: out of memory");
		OPENSSL_free(client);
		return NULL;
	}
	atomic_init(&client->references, 1);
	ERR_clear_error();
	bool done = client_take_identity(client, settings, message) &&
		client_set_up(client, settings->ca_file, message);
	client->sessions.are_dated = !client->is_by_pin_alone;
	ERR_clear_error();
	if (done)
		return client;
	client_free(client);
	return NULL;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

void tls_client_unref(struct tls_client *client)
{
	if (!client || atomic_fetch_sub_explicit(&client->references, 1, memory_order_acq_rel) != 1)
		return;
	client_free(client);
}

/* --- streams --- */

/* A session that OpenSSL does not take is no loss but a full handshake. */
static void client_resume(struct tls_client *client, SSL *openssl)
{
	SSL_SESSION *session = tls_sessions_take(&client->sessions);
	if (session)
		SSL_set_session(openssl, session);
	SSL_SESSION_free(session);
	ERR_clear_error();
}

struct tls_stream *tls_client_open(struct tls_client *client)
{
	SSL *openssl = SSL_new(client->openssl);
	if (!openssl)
		return NULL;
	if (client->name[0] && SSL_set_tlsext_host_name(openssl, client->name) != 1) {
		SSL_free(openssl);
		return NULL;
	}
	client_resume(client, openssl);
	return tls_stream_connect(client, openssl, client->alpn);
}

void tls_client_forget(struct tls_client *client)
{
	tls_sessions_forget(&client->sessions);
}

/* A ticket of TLS 1.3 is spent, and the peer sends new ones; a session of TLS 1.2 is good again,
 * perhaps with a newer ticket. */
void tls_client_on_established(struct tls_client *client, SSL *openssl)
{
	if (SSL_version(openssl) < TLS1_3_VERSION && SSL_session_reused(openssl))
		tls_sessions_put(&client->sessions, SSL_get0_session(openssl));
}

/* All of them: what the peer sent at the same time as one bad session is hardly better. */
void tls_client_on_failed(struct tls_client *client)
{
	tls_sessions_forget(&client->sessions);
}
