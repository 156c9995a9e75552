/* Whose certificates of clients a server believes.
 *
 * OpenSSL checks the chain as it always does: signatures, dates, that it is for clients (extended
 * key usage, where there is one), strength of the keys. What is ours: which authorities, what a
 * session may be resumed under, and that a resumed session counts no longer than the certificates
 * that it was made with. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tls/private.h"

enum {
	CHAIN_DEPTH_MAX = 4,
	CHAIN_BYTES_MAX = 16 * 1024,     /* that a client may send; the leaf goes into its ticket */
	NAMES_BYTES_MAX = 4 * 1024,      /* of authorities, in the first flight of a handshake */
	NOT_AFTER_LEN = sizeof(int64_t), /* in a ticket */
};

__attribute__((format(printf, 2, 3))) static bool fail(char *message, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, TLS_MESSAGE_MAX, format, arguments);
	va_end(arguments);
	return false;
}

/* --- which authorities, as a number --- */

struct fingerprint {
	uint8_t sha256[32];
};

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct fingerprint));
}

/* The same for the same certificates and lists in any order, and another one when a certificate
 * must be shown. */
static bool digest_all(struct tls_client_ca *ca)
{
	size_t count = (size_t)sk_X509_num(ca->authorities);
	size_t lists = ca->revoked ? (size_t)sk_X509_CRL_num(ca->revoked) : 0;
	size_t all = count + lists;
	struct fingerprint *each = OPENSSL_zalloc((all + 1) * sizeof *each);
	bool done = each;
	for (size_t i = 0; done && i < count; i++)
		done = X509_digest(sk_X509_value(ca->authorities, (int)i), EVP_sha256(),
			       each[i].sha256, NULL) == 1;
	for (size_t i = 0; done && i < lists; i++)
		done = X509_CRL_digest(sk_X509_CRL_value(ca->revoked, (int)i), EVP_sha256(),
			       each[count + i].sha256, NULL) == 1;
	if (done) {
		qsort(each, all, sizeof *each, by_bytes);
		each[all].sha256[0] = ca->is_required;
		done = EVP_Digest(each, (all + 1) * sizeof *each, ca->digest, NULL, EVP_sha256(),
			       NULL) == 1;
	}
	OPENSSL_free(each);
	return done;
}

/* --- the authorities --- */

/* The client's own certificate is looked for in its issuer's list; where there are lists, but none
 * of that issuer, or only one that has ended, nobody knows, and it is refused. */
static bool disbelieve(const struct tls_client_ca *ca, X509_STORE *store)
{
	bool done = true;
	if (!ca->revoked)
		return true;
	for (int i = 0; done && i < sk_X509_CRL_num(ca->revoked); i++)
		done = X509_STORE_add_crl(store, sk_X509_CRL_value(ca->revoked, i)) == 1;
	return done && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
}

/* What the file names is believed, whether it signed itself or not: an operator who names an
 * intermediate authority, or a client's own certificate, means it. */
static bool believe(const struct tls_client_ca *ca, SSL_CTX *settings)
{
	STACK_OF(X509) *all = ca->authorities;
	X509_STORE *store = X509_STORE_new();
	bool done = store;
	for (int i = 0; done && i < sk_X509_num(all); i++) {
		X509 *certificate = sk_X509_value(all, i);
		/* Its extensions are read now, and not by whichever thread looks first. */
		(void)X509_check_purpose(certificate, -1, 0);
		done = X509_STORE_add_cert(store, certificate) == 1;
	}
	done = done && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
		disbelieve(ca, store) && SSL_CTX_set1_verify_cert_store(settings, store) == 1;
	X509_STORE_free(store);
	return done;
}

static int names_bytes(const struct tls_client_ca *ca)
{
	int total = 0;
	for (int i = 0; i < sk_X509_num(ca->authorities); i++)
		total += i2d_X509_NAME(
			X509_get_subject_name(sk_X509_value(ca->authorities, i)), NULL);
	return total;
}

/* Clients that have several certificates choose by these. Where there are too many to tell, none is
 * told, and clients send what they have. */
static bool tell(const struct tls_client_ca *ca, SSL_CTX *settings)
{
	bool are_few = names_bytes(ca) <= NAMES_BYTES_MAX;
	for (int i = 0; are_few && i < sk_X509_num(ca->authorities); i++)
		if (SSL_CTX_add1_to_CA_list(settings, sk_X509_value(ca->authorities, i)) != 1)
			return false;
	return true;
}

static void warn_of_dates(const struct tls_client_ca *ca, const struct tls_context_files *files)
{
	for (int i = 0; i < sk_X509_num(ca->authorities); i++) {
		X509 *authority = sk_X509_value(ca->authorities, i);
		if (X509_cmp_current_time(X509_get0_notAfter(authority)) < 0)
			log_warning(
				"tls: client_ca \"%s\": certificate number %d in it has expired",
				files->client_ca, i + 1);
	}
	for (int i = 0; ca->revoked && i < sk_X509_CRL_num(ca->revoked); i++) {
		const ASN1_TIME *end = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(ca->revoked, i));
		if (end && X509_cmp_current_time(end) < 0)
			log_warning("tls: client_crl \"%s\": list number %d in it has ended: its "
				    "clients are refused",
				files->client_crl, i + 1);
	}
}

void tls_client_ca_warn(const struct tls_client_ca *ca, const struct tls_context_files *files)
{
	int total = names_bytes(ca);
	warn_of_dates(ca, files);
	if (total > NAMES_BYTES_MAX)
		log_warning("tls: client_ca \"%s\": the authorities' names are %d bytes, over %d: "
			    "clients are not told them",
			files->client_ca, total, NAMES_BYTES_MAX);
}

/* --- how long a certificate counts --- */

/* The earliest end of the whole chain; 0 when there is none. */
static int64_t chain_not_after_s(SSL *openssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(openssl);
	int64_t earliest_s = 0;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t end_s = tls_asn1_seconds(X509_get0_notAfter(sk_X509_value(chain, i)));
		if (i == 0 || end_s < earliest_s)
			earliest_s = end_s;
	}
	return earliest_s;
}

static int64_t session_not_after_s(SSL_SESSION *session)
{
	void *bytes;
	size_t len;
	int64_t not_after_s = 0;
	if (SSL_SESSION_get0_ticket_appdata(session, &bytes, &len) == 1 && len == NOT_AFTER_LEN)
		memcpy(&not_after_s, bytes, NOT_AFTER_LEN);
	return not_after_s;
}

/* A session keeps the client's own certificate, and not those above it. */
static int on_ticket_made(SSL *openssl, void *unused)
{
	(void)unused;
	if (SSL_session_reused(openssl)) /* then it is in there */
		return 1;
	int64_t not_after_s = chain_not_after_s(openssl);
	return not_after_s == 0 ||
		SSL_SESSION_set1_ticket_appdata(
			SSL_get_session(openssl), &not_after_s, NOT_AFTER_LEN) == 1;
}

/* A client whose certificate is over has to show another one. */
static SSL_TICKET_RETURN on_ticket_opened(SSL *openssl, SSL_SESSION *session,
	const unsigned char *key, size_t key_len, SSL_TICKET_STATUS status, void *unused)
{
	(void)openssl;
	(void)key;
	(void)key_len;
	(void)unused;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_peer(session) && session_not_after_s(session) <= time(NULL))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int64_t tls_client_ca_not_after_s(SSL *openssl)
{
	return SSL_session_reused(openssl) ? session_not_after_s(SSL_get_session(openssl))
					   : chain_not_after_s(openssl);
}

/* --- all of it --- */

bool tls_client_ca_apply(const struct tls_client_ca *ca, SSL_CTX *settings)
{
	int mode = SSL_VERIFY_PEER | (ca->is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(settings, mode, NULL);
	SSL_CTX_set_verify_depth(settings, CHAIN_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(settings, CHAIN_BYTES_MAX);
	return believe(ca, settings) && tell(ca, settings) &&
		SSL_CTX_set_session_id_context(settings, ca->digest, TLS_CLIENT_CA_LEN) == 1 &&
		SSL_CTX_set_session_ticket_cb(settings, on_ticket_made, on_ticket_opened, NULL) ==
		1;
}

static bool read_files(struct tls_client_ca *ca, const struct tls_context_files *files,
	char message[TLS_MESSAGE_MAX])
{
	ca->authorities = tls_pem_authorities(files->client_ca, message);
	if (!ca->authorities)
		return false;
	if (files->client_crl)
		ca->revoked = tls_pem_revoked(files->client_crl, message);
	if (files->client_crl && !ca->revoked)
		return false;
	return digest_all(ca) ||
		fail(message, "client_ca \"%s\": OpenSSL refuses it", files->client_ca);
}

struct tls_client_ca *tls_client_ca_load(
	const struct tls_context_files *files, char message[TLS_MESSAGE_MAX])
{
	struct tls_client_ca *ca = OPENSSL_zalloc(sizeof *ca);
	if (!ca) {
		fail(message, "client_ca \"%s\": out of memory", files->client_ca);
		return NULL;
	}
	atomic_init(&ca->references, 1);
	ca->is_required = files->client_required;
	if (read_files(ca, files, message))
		return ca;
	tls_client_ca_unref(ca);
	return NULL;
}

struct tls_client_ca *tls_client_ca_ref(struct tls_client_ca *ca)
{
	atomic_fetch_add_explicit(&ca->references, 1, memory_order_relaxed);
	return ca;
}

void tls_client_ca_unref(struct tls_client_ca *ca)
{
	if (!ca || atomic_fetch_sub_explicit(&ca->references, 1, memory_order_acq_rel) != 1)
		return;
	sk_X509_pop_free(ca->authorities, X509_free);
	sk_X509_CRL_pop_free(ca->revoked, X509_CRL_free);
	OPENSSL_free(ca);
}
