/* Certificates and keys from files, with errors that a tired operator can act on: OpenSSL alone
 * would say "no start line" for a missing, an empty and a swapped file alike. */
#include "tls/private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* A chain is short; a bundle of authorities holds some 150 in 220 kB. */
enum { PEM_CHAIN_MAX = 16, PEM_AUTHORITIES_MAX = 1024 };

static bool pem_holds(const struct tls_file *file, const char *words)
{
	return memmem(file->bytes, file->len, words, strlen(words)) != NULL;
}

/* Why there is nothing of the wanted kind in the file. */
static const char *pem_guess(const struct tls_file *file, const char *other, const char *swapped)
{
	if (pem_holds(file, other))
		return swapped;
	if ((uint8_t)file->bytes[0] == 0x30)
		return "not PEM, probably DER (convert it with openssl)";
	return "not PEM";
}

static bool pem_add(
	struct tls_file *file, BIO *source, STACK_OF(X509) * certificates, bool *is_last)
{
	X509 *certificate = PEM_read_bio_X509(source, NULL, NULL, NULL);
	int count = sk_X509_num(certificates);
	if (!certificate) {
		*is_last = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && count;
		return *is_last ||
			tls_file_fail(file, "certificate number %d in it is damaged", count + 1);
	}
	if (count < file->most && sk_X509_push(certificates, certificate) > 0)
		return true;
	X509_free(certificate);
	return tls_file_fail(file, "more than %d certificates", file->most);
}

static bool pem_add_all(struct tls_file *file, STACK_OF(X509) * certificates)
{
	if (!pem_holds(file, "CERTIFICATE-----"))
		return tls_file_fail(file, "%s",
			pem_guess(file, "PRIVATE KEY-----",
				"holds a private key, not a certificate"));
	BIO *source = BIO_new_mem_buf(file->bytes, (int)file->len);
	bool done = source && certificates;
	bool is_last = false;
	if (!done)
		tls_file_fail(file, "out of memory");
	while (done && !is_last)
		done = pem_add(file, source, certificates, &is_last);
	BIO_free(source);
	return done;
}

static STACK_OF(X509) * pem_load(struct tls_file *file)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	bool done = tls_file_open(file) && pem_add_all(file, certificates);
	tls_file_close(file);
	if (done)
		return certificates;
	sk_X509_pop_free(certificates, X509_free);
	return NULL;
}

STACK_OF(X509) * tls_pem_certificates(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = {
		.kind = "certificate", .name = name, .most = PEM_CHAIN_MAX, .message = message
	};
	return pem_load(&file);
}

STACK_OF(X509) * tls_pem_authorities(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = {
		.kind = "authorities", .name = name, .most = PEM_AUTHORITIES_MAX, .message = message
	};
	return pem_load(&file);
}

static bool pem_add_revoked(
	struct tls_file *file, BIO *source, STACK_OF(X509_CRL) * lists, bool *is_last)
{
	X509_CRL *list = PEM_read_bio_X509_CRL(source, NULL, NULL, NULL);
	int count = sk_X509_CRL_num(lists);
	if (!list) {
		*is_last = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && count;
		return *is_last ||
			tls_file_fail(file, "list number %d in it is damaged", count + 1);
	}
	if (count < file->most && sk_X509_CRL_push(lists, list) > 0)
		return true;
	X509_CRL_free(list);
	return tls_file_fail(file, "more than %d lists", file->most);
}

static bool pem_add_all_revoked(struct tls_file *file, STACK_OF(X509_CRL) * lists)
{
	if (!pem_holds(file, "X509 CRL-----"))
		return tls_file_fail(file, "%s",
			pem_guess(file, "CERTIFICATE-----",
				"holds certificates, not a list of revoked ones"));
	BIO *source = BIO_new_mem_buf(file->bytes, (int)file->len);
	bool done = source && lists;
	bool is_last = false;
	if (!done)
		tls_file_fail(file, "out of memory");
	while (done && !is_last)
		done = pem_add_revoked(file, source, lists, &is_last);
	BIO_free(source);
	return done;
}

STACK_OF(X509_CRL) * tls_pem_revoked(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = {
		.kind = "client_crl", .name = name, .most = PEM_AUTHORITIES_MAX, .message = message
	};
	STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
	bool done = tls_file_open(&file) && pem_add_all_revoked(&file, lists);
	tls_file_close(&file);
	if (done)
		return lists;
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return NULL;
}

/* Without this OpenSSL would ask for the passphrase on the terminal. */
static int on_passphrase(char *to, int size, int is_writing, void *was_asked)
{
	(void)to;
	(void)size;
	(void)is_writing;
	*(bool *)was_asked = true;
	return -1;
}

static EVP_PKEY *pem_parse_key(struct tls_file *file)
{
	if (!pem_holds(file, "PRIVATE KEY-----")) {
		tls_file_fail(file, "%s",
			pem_guess(file, "CERTIFICATE-----",
				"holds a certificate, not a private key"));
		return NULL;
	}
	BIO *source = BIO_new_mem_buf(file->bytes, (int)file->len);
	bool was_asked = false;
	EVP_PKEY *key =
		source ? PEM_read_bio_PrivateKey(source, NULL, on_passphrase, &was_asked) : NULL;
	BIO_free(source);
	if (!key && was_asked)
		tls_file_fail(file, "protected by a passphrase; a server needs it without");
	else if (!key)
		tls_file_fail(file, "the private key in it is damaged or of an unknown kind");
	return key;
}

EVP_PKEY *tls_pem_key(const char *name, bool *is_open_to_all, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = { .kind = "key", .name = name, .message = message };
	EVP_PKEY *key = tls_file_open(&file) ? pem_parse_key(&file) : NULL;
	*is_open_to_all = key && tls_file_is_open_to_all(&file);
	tls_file_close(&file);
	return key;
}
