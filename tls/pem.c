/* Certificates and keys from files, with errors that a tired operator can act on: OpenSSL alone
 * would say "no start line" for a missing, an empty and a swapped file alike. */
#include "tls/private.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* A chain is short; a bundle of authorities holds some 150 in 220 kB. */
enum { PEM_FILE_MAX = 1024 * 1024, PEM_CHAIN_MAX = 16, PEM_AUTHORITIES_MAX = 1024 };

struct pem_file {
	const char *kind; /* "certificate", "authorities" or "key": what the messages call it */
	const char *name;
	int certificates_max;
	char *message;
	char *bytes; /* of `capacity`, wiped when closed */
	size_t len;
	size_t capacity;
	struct stat status;
};

__attribute__((format(printf, 2, 3))) static bool pem_fail(
	struct pem_file *file, const char *format, ...)
{
	int used = snprintf(file->message, TLS_MESSAGE_MAX, "%s \"%s\": ", file->kind, file->name);
	if (used < 0 || used >= TLS_MESSAGE_MAX)
		return false;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(file->message + used, (size_t)(TLS_MESSAGE_MAX - used), format, arguments);
	va_end(arguments);
	return false;
}

static bool pem_fill(struct pem_file *file, int fd)
{
	while (file->len < file->capacity) {
		ssize_t count = read(fd, file->bytes + file->len, file->capacity - file->len);
		if (count == 0)
			return true;
		if (count < 0 && errno != EINTR)
			return pem_fail(file, "%s", strerror(errno));
		if (count > 0)
			file->len += (size_t)count;
	}
	return pem_fail(file, "changed while it was read");
}

static bool pem_read_fd(struct pem_file *file, int fd)
{
	if (fstat(fd, &file->status) < 0)
		return pem_fail(file, "%s", strerror(errno));
	if (!S_ISREG(file->status.st_mode))
		return pem_fail(file, "not a regular file");
	if (file->status.st_size == 0)
		return pem_fail(file, "the file is empty");
	if (file->status.st_size > PEM_FILE_MAX)
		return pem_fail(file, "larger than %d bytes", PEM_FILE_MAX);
	file->capacity = (size_t)file->status.st_size + 1; /* one more shows that it grew */
	file->bytes = OPENSSL_malloc(file->capacity);
	if (!file->bytes)
		return pem_fail(file, "out of memory");
	return pem_fill(file, fd);
}

static bool pem_open(struct pem_file *file)
{
	int fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == EACCES)
		return pem_fail(
			file, "user %u may not read it: %s", (unsigned)geteuid(), strerror(errno));
	if (fd < 0)
		return pem_fail(file, "%s", strerror(errno));
	bool done = pem_read_fd(file, fd);
	close(fd);
	return done;
}

static void pem_close(struct pem_file *file)
{
	OPENSSL_clear_free(file->bytes, file->capacity);
}

static bool pem_holds(const struct pem_file *file, const char *words)
{
	return memmem(file->bytes, file->len, words, strlen(words)) != NULL;
}

/* Why there is nothing of the wanted kind in the file. */
static const char *pem_guess(const struct pem_file *file, const char *other, const char *swapped)
{
	if (pem_holds(file, other))
		return swapped;
	if ((uint8_t)file->bytes[0] == 0x30)
		return "not PEM, probably DER (convert it with openssl)";
	return "not PEM";
}

static bool pem_add(
	struct pem_file *file, BIO *source, STACK_OF(X509) * certificates, bool *is_last)
{
	X509 *certificate = PEM_read_bio_X509(source, NULL, NULL, NULL);
	int count = sk_X509_num(certificates);
	if (!certificate) {
		*is_last = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && count;
		return *is_last ||
			pem_fail(file, "certificate number %d in it is damaged", count + 1);
	}
	if (count < file->certificates_max && sk_X509_push(certificates, certificate) > 0)
		return true;
	X509_free(certificate);
	return pem_fail(file, "more than %d certificates", file->certificates_max);
}

static bool pem_add_all(struct pem_file *file, STACK_OF(X509) * certificates)
{
	if (!pem_holds(file, "CERTIFICATE-----"))
		return pem_fail(file, "%s",
			pem_guess(file, "PRIVATE KEY-----",
				"holds a private key, not a certificate"));
	BIO *source = BIO_new_mem_buf(file->bytes, (int)file->len);
	bool done = source && certificates;
	bool is_last = false;
	if (!done)
		pem_fail(file, "out of memory");
	while (done && !is_last)
		done = pem_add(file, source, certificates, &is_last);
	BIO_free(source);
	return done;
}

static STACK_OF(X509) * pem_load(struct pem_file *file)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	bool done = pem_open(file) && pem_add_all(file, certificates);
	pem_close(file);
	if (done)
		return certificates;
	sk_X509_pop_free(certificates, X509_free);
	return NULL;
}

STACK_OF(X509) * tls_pem_certificates(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct pem_file file = { .kind = "certificate",
		.name = name,
		.certificates_max = PEM_CHAIN_MAX,
		.message = message };
	return pem_load(&file);
}

STACK_OF(X509) * tls_pem_authorities(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct pem_file file = { .kind = "authorities",
		.name = name,
		.certificates_max = PEM_AUTHORITIES_MAX,
		.message = message };
	return pem_load(&file);
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

static EVP_PKEY *pem_parse_key(struct pem_file *file)
{
	if (!pem_holds(file, "PRIVATE KEY-----")) {
		pem_fail(file, "%s",
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
		pem_fail(file, "protected by a passphrase; a server needs it without");
	else if (!key)
		pem_fail(file, "the private key in it is damaged or of an unknown kind");
	return key;
}

EVP_PKEY *tls_pem_key(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct pem_file file = { .kind = "key", .name = name, .message = message };
	EVP_PKEY *key = pem_open(&file) ? pem_parse_key(&file) : NULL;
	if (key && (file.status.st_mode & S_IROTH))
		log_warning("tls: key \"%s\" can be read by every user of this machine", name);
	pem_close(&file);
	return key;
}
