/* tls_fixture.h - certificates made on the spot and an OpenSSL client in memory, for tests and
 * measurements of tls/. Nothing here is part of the program. */
#ifndef TLS_FIXTURE_H
#define TLS_FIXTURE_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/stream.h"

#define FIXTURE_CHECK(truth)                                                                       \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth);                \
			ERR_print_errors_fp(stderr);                                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct fixture_certificate {
	X509 *certificate;
	EVP_PKEY *key;
};

static inline EVP_PKEY *fixture_key(const char *kind)
{
	if (strcmp(kind, "EC") == 0)
		return EVP_EC_gen("P-256");
	if (strncmp(kind, "P-", 2) == 0 || strncmp(kind, "secp", 4) == 0)
		return EVP_EC_gen(kind);
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 3)); /* "RSA2048" */
}

static inline void fixture_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	FIXTURE_CHECK(extension && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

/* What is asked of a certificate. */
struct fixture_wish {
	const char *kind;        /* "EC", "ED25519", "RSA2048" */
	const char *common_name; /* what it is for is in `names`, unless it is a CA */
	const char *names;       /* "DNS:a.example,IP:192.0.2.1"; NULL: no subjectAltName */
	bool is_ca;
	const char *key_usage; /* extended; NULL: none */
	long not_before_s;     /* from now */
	long not_after_s;
};

/* Signed by `issuer`, or by itself when that is NULL. */
static inline struct fixture_certificate fixture_grant(
	const struct fixture_wish *wish, const struct fixture_certificate *issuer)
{
	static long serial = 1;
	struct fixture_certificate made = { X509_new(), fixture_key(wish->kind) };
	struct fixture_certificate by = issuer ? *issuer : made;
	FIXTURE_CHECK(made.certificate && made.key);
	X509_set_version(made.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), wish->not_before_s);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), wish->not_after_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
		(const unsigned char *)wish->common_name, -1, -1, 0);
	X509_set_issuer_name(made.certificate, X509_get_subject_name(by.certificate));
	X509_set_pubkey(made.certificate, made.key);
	if (wish->key_usage)
		fixture_extend(
			made.certificate, by.certificate, NID_ext_key_usage, wish->key_usage);
	if (wish->names)
		fixture_extend(made.certificate, by.certificate, NID_subject_alt_name, wish->names);
	if (wish->is_ca)
		fixture_extend(made.certificate, by.certificate, NID_basic_constraints,
			"critical,CA:TRUE");
	const EVP_MD *digest =
		EVP_PKEY_get_base_id(by.key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	FIXTURE_CHECK(X509_sign(made.certificate, by.key, digest) > 0);
	return made;
}

/* A server's, signed by `issuer`, or a CA that signed itself when that is NULL. */
static inline struct fixture_certificate fixture_issue_for(const char *alt_names, const char *kind,
	const char *name, const struct fixture_certificate *issuer, long not_before_s,
	long not_after_s)
{
	struct fixture_wish wish = { .kind = kind,
		.common_name = name,
		.names = issuer ? alt_names : NULL,
		.is_ca = !issuer,
		.key_usage = issuer ? "serverAuth" : NULL,
		.not_before_s = not_before_s,
		.not_after_s = not_after_s };
	return fixture_grant(&wish, issuer);
}

static inline struct fixture_certificate fixture_issue(const char *kind, const char *name,
	const struct fixture_certificate *issuer, long not_before_s, long not_after_s)
{
	return fixture_issue_for("DNS:localhost", kind, name, issuer, not_before_s, not_after_s);
}

static inline void fixture_drop(struct fixture_certificate *made)
{
	X509_free(made->certificate);
	EVP_PKEY_free(made->key);
}

/* A directory of its own for each test program; removed by fixture_remove(). */
struct fixture_directory {
	char path[64];
};

static inline struct fixture_directory fixture_directory_make(void)
{
	struct fixture_directory directory = { "/tmp/namegate-tls-XXXXXX" };
	FIXTURE_CHECK(mkdtemp(directory.path));
	return directory;
}

static inline const char *fixture_path(
	const struct fixture_directory *directory, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", directory->path, name);
	return path;
}

static inline void fixture_write(
	const struct fixture_directory *directory, const char *name, const void *bytes, size_t len)
{
	char path[128];
	FILE *file = fopen(fixture_path(directory, name, path), "wb");
	FIXTURE_CHECK(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
	chmod(path, 0600);
}

static inline void fixture_write_chain(const struct fixture_directory *directory, const char *name,
	const struct fixture_certificate *const *chain, size_t count)
{
	char path[128];
	FILE *file = fopen(fixture_path(directory, name, path), "w");
	FIXTURE_CHECK(file);
	for (size_t i = 0; i < count; i++)
		FIXTURE_CHECK(PEM_write_X509(file, chain[i]->certificate));
	FIXTURE_CHECK(fclose(file) == 0);
}

static inline void fixture_write_key(const struct fixture_directory *directory, const char *name,
	EVP_PKEY *key, const char *passphrase)
{
	char path[128];
	FILE *file = fopen(fixture_path(directory, name, path), "w");
	FIXTURE_CHECK(file &&
		PEM_write_PKCS8PrivateKey(file, key, passphrase ? EVP_aes_256_cbc() : NULL,
			passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL));
	FIXTURE_CHECK(fclose(file) == 0);
	chmod(path, 0600);
}

static inline void fixture_remove(const struct fixture_directory *directory)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", directory->path);
	FIXTURE_CHECK(system(command) == 0);
}

/* A fresh ECDSA certificate (or another kind) for these names as a context. */
static inline struct tls_context *fixture_context_for(
	const char *alt_names, const char *kind, struct tls_ticket_keys *keys)
{
	struct fixture_directory directory = fixture_directory_make();
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate leaf =
		fixture_issue_for(alt_names, kind, "localhost", &ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &leaf, &ca };
	fixture_write_chain(&directory, "server.pem", chain, 2);
	fixture_write_key(&directory, "server.key", leaf.key, NULL);
	char certificate_file[128], key_file[128], message[TLS_MESSAGE_MAX];
	struct tls_context *context =
		tls_context_load(fixture_path(&directory, "server.pem", certificate_file),
			fixture_path(&directory, "server.key", key_file), keys, message);
	if (!context)
		fprintf(stderr, "%s\n", message);
	FIXTURE_CHECK(context);
	fixture_drop(&leaf);
	fixture_drop(&ca);
	fixture_remove(&directory);
	return context;
}

static inline struct tls_context *fixture_context(const char *kind, struct tls_ticket_keys *keys)
{
	return fixture_context_for("DNS:localhost", kind, keys);
}

/* --- a client --- */

struct fixture_client {
	SSL *openssl;
	BIO *in;  /* what the server sent */
	BIO *out; /* what the client has to send */
};

static inline SSL_CTX *fixture_client_settings(int version)
{
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	FIXTURE_CHECK(settings);
	SSL_CTX_set_security_level(settings, 0);
	SSL_CTX_set_min_proto_version(settings, version);
	SSL_CTX_set_max_proto_version(settings, version);
	/* A cache would mark its sessions as spent when it is freed. */
	SSL_CTX_set_session_cache_mode(
		settings, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	return settings;
}

static inline struct fixture_client fixture_client_new(
	SSL_CTX *settings, const char *alpn, size_t alpn_len)
{
	struct fixture_client client = { SSL_new(settings), BIO_new(BIO_s_mem()),
		BIO_new(BIO_s_mem()) };
	FIXTURE_CHECK(client.openssl && client.in && client.out);
	BIO_set_mem_eof_return(client.in, -1);
	SSL_set_bio(client.openssl, client.in, client.out);
	SSL_set_connect_state(client.openssl);
	if (alpn)
		SSL_set_alpn_protos(
			client.openssl, (const unsigned char *)alpn, (unsigned)alpn_len);
	return client;
}

/* OpenSSL marks a session as spent once it was resumed, so each attempt has a copy. */
static inline void fixture_client_resume(const struct fixture_client *client, SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	FIXTURE_CHECK(copy && SSL_set_session(client->openssl, copy));
	SSL_SESSION_free(copy);
}

/* And one of a connection that was not closed as a broken one. */
static inline void fixture_client_free(const struct fixture_client *client)
{
	SSL_set_shutdown(client->openssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(client->openssl);
}

#endif
