#include "tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "tests/unit/tls_fixture.h"

static struct fixture_directory directory;
static struct tls_ticket_keys *keys;

/* What log_warning() wrote while `load` ran. */
static char logged[4096];

static struct tls_context *load_logged(
	const char *certificate, const char *key, char message[TLS_MESSAGE_MAX])
{
	char certificate_file[128], key_file[128], log_file[128];
	fflush(stderr);
	int saved = dup(STDERR_FILENO);
	int fd = open(fixture_path(&directory, "log", log_file), O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDERR_FILENO);
	struct tls_context *context =
		tls_context_load(fixture_path(&directory, certificate, certificate_file),
			fixture_path(&directory, key, key_file), keys, message);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t count = pread(fd, logged, sizeof logged - 1, 0);
	logged[count > 0 ? count : 0] = '\0';
	close(fd);
	return context;
}

static int make_files(void **state)
{
	(void)state;
	directory = fixture_directory_make();
	keys = tls_ticket_keys_new();
	struct fixture_certificate ca = fixture_issue("EC", "test CA", NULL, -60, 86400);
	struct fixture_certificate other_ca = fixture_issue("EC", "other CA", NULL, -60, 86400);
	const struct {
		const char *name;
		const char *kind;
		long not_before_s;
		long not_after_s;
	} leaves[] = {
		{ "ec", "EC", -60, 86400 },
		{ "rsa", "RSA2048", -60, 86400 },
		{ "ed25519", "ED25519", -60, 86400 },
		{ "p384", "P-384", -60, 86400 },
		{ "p521", "P-521", -60, 86400 },
		{ "koblitz", "secp256k1", -60, 86400 },
		{ "weak", "RSA1024", -60, 86400 },
		{ "expired", "EC", -7200, -3600 },
		{ "tomorrow", "EC", 86400, 2 * 86400 },
	};
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		struct fixture_certificate leaf = fixture_issue(leaves[i].kind, "localhost", &ca,
			leaves[i].not_before_s, leaves[i].not_after_s);
		const struct fixture_certificate *chain[] = { &leaf, &ca };
		char name[64];
		snprintf(name, sizeof name, "%s.pem", leaves[i].name);
		fixture_write_chain(&directory, name, chain, 2);
		snprintf(name, sizeof name, "%s.key", leaves[i].name);
		fixture_write_key(&directory, name, leaf.key, NULL);
		if (i == 0) {
			const struct fixture_certificate *reversed[] = { &ca, &leaf };
			fixture_write_chain(&directory, "reversed.pem", reversed, 2);
			const struct fixture_certificate *stranger[] = { &leaf, &other_ca };
			fixture_write_chain(&directory, "stranger.pem", stranger, 2);
			const struct fixture_certificate *many[16] = { &leaf };
			for (size_t k = 1; k < 16; k++)
				many[k] = &ca;
			fixture_write_chain(&directory, "sixteen.pem", many, 16);
			fixture_write_key(&directory, "locked.key", leaf.key, "secret");
			struct fixture_certificate old = { X509_dup(leaf.certificate), NULL };
			X509_sign(old.certificate, ca.key, EVP_sha1());
			const struct fixture_certificate *weak[] = { &old };
			fixture_write_chain(&directory, "sha1.pem", weak, 1);
			fixture_drop(&old);
			unsigned char *der = NULL;
			int len = i2d_X509(leaf.certificate, &der);
			fixture_write(&directory, "der.pem", der, (size_t)len);
			OPENSSL_free(der);
		}
		fixture_drop(&leaf);
	}
	/* More than the first flight may hold, signed anew with a comment of 30 kB in it. */
	struct fixture_certificate large = fixture_issue("EC", "large", &ca, -60, 86400);
	const struct fixture_certificate *chain[] = { &large };
	static char comment[30 * 1024];
	memset(comment, 'x', sizeof comment - 1);
	fixture_extend(large.certificate, ca.certificate, NID_netscape_comment, comment);
	X509_sign(large.certificate, ca.key, EVP_sha256());
	fixture_write_chain(&directory, "large.pem", chain, 1);
	fixture_write_key(&directory, "large.key", large.key, NULL);
	fixture_drop(&large);
	fixture_drop(&ca);
	fixture_drop(&other_ca);

	static const char damaged[] =
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
	static const char damaged_key[] =
		"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
	fixture_write(&directory, "empty", "", 0);
	fixture_write(&directory, "text", "hello\n", 6);
	fixture_write(&directory, "damaged.pem", damaged, sizeof damaged - 1);
	fixture_write(&directory, "damaged.key", damaged_key, sizeof damaged_key - 1);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	tls_ticket_keys_free(keys);
	fixture_remove(&directory);
	return 0;
}

static void test_good_pairs(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *warning; /* "": none */
	} pairs[] = {
		{ "ec", "" },
		{ "rsa", "" },
		{ "ed25519", "" },
		{ "p384", "" },
		{ "expired", "has expired" },
		{ "tomorrow", "is not valid yet" },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char certificate[64], key[64], message[TLS_MESSAGE_MAX];
		snprintf(certificate, sizeof certificate, "%s.pem", pairs[i].name);
		snprintf(key, sizeof key, "%s.key", pairs[i].name);
		struct tls_context *context = load_logged(certificate, key, message);
		assert_non_null(context);
		assert_string_equal(message, "");
		if (*pairs[i].warning)
			assert_non_null(strstr(logged, pairs[i].warning));
		else
			assert_string_equal(logged, "");
		tls_context_unref(context);
	}
}

static void test_not_after(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	struct tls_context *context = load_logged("expired.pem", "expired.key", message);
	int64_t expected = time(NULL) - 3600;
	assert_in_range(tls_context_not_after_s(context), expected - 60, expected + 60);
	tls_context_unref(context);
}

static void test_bad_pairs(void **state)
{
	(void)state;
	static const struct {
		const char *certificate;
		const char *key;
		const char *file; /* named in the message */
		const char *what;
	} pairs[] = {
		{ "none.pem", "ec.key", "none.pem", "No such file" },
		{ "ec.pem", "none.key", "none.key", "No such file" },
		{ "empty", "ec.key", "empty", "the file is empty" },
		{ "ec.pem", "empty", "empty", "the file is empty" },
		{ ".", "ec.key", "/.", "not a regular file" },
		{ "ec.pem", ".", "/.", "not a regular file" },
		{ "text", "ec.key", "text", "not PEM" },
		{ "ec.pem", "text", "text", "not PEM" },
		{ "der.pem", "ec.key", "der.pem", "probably DER" },
		{ "ec.key", "ec.pem", "ec.key", "holds a private key, not a certificate" },
		{ "ec.pem", "ec.pem", "ec.pem", "holds a certificate, not a private key" },
		{ "damaged.pem", "ec.key", "damaged.pem", "certificate number 1 in it is damaged" },
		{ "ec.pem", "damaged.key", "damaged.key", "damaged" },
		{ "ec.pem", "locked.key", "locked.key", "passphrase" },
		{ "ec.pem", "rsa.key", "rsa.key", "does not match" },
		{ "rsa.pem", "ec.key", "rsa.pem", "does not match" },
		{ "expired.pem", "ec.key", "expired.pem", "does not match" },
		{ "reversed.pem", "ec.key", "reversed.pem", "belongs to certificate number 2" },
		{ "weak.pem", "weak.key", "weak.key", "1024 bits is too short" },
		{ "p521.pem", "p521.key", "p521.key", "curve secp521r1; P-256 or P-384" },
		{ "koblitz.pem", "koblitz.key", "koblitz.key", "curve secp256k1" },
		{ "sha1.pem", "ec.key", "sha1.pem", "number 1 in it is signed with sha1" },
		{ "large.pem", "large.key", "large.pem", "24576 at most" },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char message[TLS_MESSAGE_MAX];
		assert_null(load_logged(pairs[i].certificate, pairs[i].key, message));
		if (!strstr(message, pairs[i].file) || !strstr(message, pairs[i].what))
			fail_msg("%s + %s: %s", pairs[i].certificate, pairs[i].key, message);
		assert_null(strstr(message, "c2VjcmV0"));
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void test_odd_chains_are_told(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	struct tls_context *context = load_logged("stranger.pem", "ec.key", message);
	assert_non_null(context);
	assert_non_null(strstr(logged, "number 2 in it did not sign number 1"));
	tls_context_unref(context);
	context = load_logged("sixteen.pem", "ec.key", message);
	assert_non_null(context);
	tls_context_unref(context);
}

static void test_permissions(void **state)
{
	(void)state;
	char path[128], message[TLS_MESSAGE_MAX];
	fixture_path(&directory, "ec.key", path);
	chmod(path, 0644);
	struct tls_context *context = load_logged("ec.pem", "ec.key", message);
	assert_non_null(strstr(logged, "can be read by every user"));
	tls_context_unref(context);
	chmod(path, 0000);
	chmod(directory.path, 0755);
	bool is_root = geteuid() == 0; /* who may read all, so be somebody else */
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	char certificate_file[128];
	context = tls_context_load(
		fixture_path(&directory, "ec.pem", certificate_file), path, keys, message);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_null(context);
	assert_non_null(strstr(message, "ec.key"));
	assert_non_null(strstr(message, "may not read it: Permission denied"));
	chmod(path, 0600);
}

static void test_a_long_name_fits(void **state)
{
	(void)state;
	char name[1024], message[TLS_MESSAGE_MAX];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_null(tls_context_load(name, name, keys, message));
	assert_true(strlen(message) < TLS_MESSAGE_MAX);
}

static void *ref_and_unref(void *context)
{
	for (int i = 0; i < 20000; i++)
		tls_context_unref(tls_context_ref(context));
	return NULL;
}

static void test_references_from_threads(void **state)
{
	(void)state;
	struct tls_context *context = fixture_context("EC", keys);
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, context), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(tls_context_not_after_s(context) > 0);
	tls_context_unref(context);
	tls_context_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_pairs),
		cmocka_unit_test(test_not_after),
		cmocka_unit_test(test_bad_pairs),
		cmocka_unit_test(test_odd_chains_are_told),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_a_long_name_fits),
		cmocka_unit_test(test_references_from_threads),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
