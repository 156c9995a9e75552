/* A certificate, what is above it, its key, and what is stapled to it: read and checked together,
 * as none of them is of any use alone. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tls/private.h"

/* Chain and OCSP response go out in the server's first flight, which has to fit into TLS_OUT_MIN.
 */
enum { CHAIN_BYTES_MAX = 24 * 1024, RSA_BITS_MIN = 2048, RSA_BITS_SLOW = 4096 };

enum { NAMES_TOLD_MAX = 8, STATUS_REQUEST = 5 /* RFC 7633 4.2.3.1 */ };

struct loading {
	struct tls_pair *pair;
	const struct tls_certificate_files *files;
	char *message;
};

__attribute__((format(printf, 2, 3))) static bool pair_fail(
	const struct loading *loading, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(loading->message, TLS_MESSAGE_MAX, format, arguments);
	va_end(arguments);
	return false;
}

X509 *tls_pair_leaf(const struct tls_pair *pair)
{
	return sk_X509_value(pair->chain, 0);
}

int64_t tls_asn1_seconds(const ASN1_TIME *when)
{
	struct tm broken_down = { 0 };
	if (ASN1_TIME_to_tm(when, &broken_down) != 1)
		return 0;
	return timegm(&broken_down);
}

/* --- the key --- */

static bool key_matches(const struct loading *loading)
{
	const struct tls_pair *pair = loading->pair;
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		X509 *certificate = sk_X509_value(pair->chain, i);
		EVP_PKEY *public_key = X509_get0_pubkey(certificate);
		if (!public_key || EVP_PKEY_eq(public_key, pair->key) != 1)
			continue;
		return i == 0 ||
			pair_fail(loading,
				"certificate \"%s\": the key belongs to certificate number %d; the "
				"server's own must come first",
				pair->file, i + 1);
	}
	return pair_fail(loading, "key \"%s\" does not match certificate \"%s\"", pair->key_file,
		pair->file);
}

/* Others than these are in no client's list, or in none of ours (settings.c). */
static bool curve_is_known(const struct loading *loading)
{
	char name[64] = "";
	size_t len;
	(void)EVP_PKEY_get_group_name(loading->pair->key, name, sizeof name, &len);
	if (strcmp(name, "prime256v1") == 0 || strcmp(name, "secp384r1") == 0)
		return true;
	return pair_fail(loading, "key \"%s\": ECDSA on the curve %s; P-256 or P-384 is wanted",
		loading->pair->key_file, name);
}

static bool rsa_is_long_enough(const struct loading *loading)
{
	int bits = EVP_PKEY_get_bits(loading->pair->key);
	return bits >= RSA_BITS_MIN ||
		pair_fail(loading, "key \"%s\": RSA of %d bits is too short, %d at least",
			loading->pair->key_file, bits, RSA_BITS_MIN);
}

static bool key_is_sane(const struct loading *loading)
{
	struct tls_pair *pair = loading->pair;
	switch (EVP_PKEY_get_base_id(pair->key)) {
	case EVP_PKEY_RSA: pair->kind = TLS_KEY_RSA; return rsa_is_long_enough(loading);
	case EVP_PKEY_EC: pair->kind = TLS_KEY_EC; return curve_is_known(loading);
	case EVP_PKEY_ED25519: pair->kind = TLS_KEY_ED25519; return true;
	default:
		return pair_fail(
			loading, "key \"%s\": neither ECDSA, RSA nor Ed25519", pair->key_file);
	}
}

/* --- the chain --- */

static size_t chain_bytes(const struct tls_pair *pair)
{
	size_t total = 0;
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		int len = i2d_X509(sk_X509_value(pair->chain, i), NULL);
		total += len > 0 ? (size_t)len : 0;
	}
	return total;
}

/* What signed itself is there for nobody's good, and nobody looks at how. */
static const char *weak_digest(X509 *certificate)
{
	int digest = NID_undef;
	bool is_root = X509_get_extension_flags(certificate) & EXFLAG_SS;
	(void)OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, NULL);
	return !is_root && (digest == NID_sha1 || digest == NID_md5) ? OBJ_nid2ln(digest) : NULL;
}

static bool chain_is_sane(const struct loading *loading)
{
	const struct tls_pair *pair = loading->pair;
	size_t total = chain_bytes(pair);
	if (total > CHAIN_BYTES_MAX)
		return pair_fail(loading, "certificate \"%s\": a chain of %zu bytes, %d at most",
			pair->file, total, CHAIN_BYTES_MAX);
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		const char *digest = weak_digest(sk_X509_value(pair->chain, i));
		if (digest)
			return pair_fail(loading,
				"certificate \"%s\": number %d in it is signed with %s, which "
				"clients accept no more",
				pair->file, i + 1, digest);
	}
	return true;
}

/* --- dates --- */

static bool is_of_now(const struct tls_pair *pair, int64_t now_s)
{
	return pair->not_before_s <= now_s && now_s < pair->not_after_s;
}

/* A server with an expired certificate still serves those who do not look, and an operator who
 * restarts it at night needs it up. But it takes no good one's place. */
static bool dates_may_follow(const struct loading *loading, const struct tls_pair *before)
{
	const struct tls_pair *pair = loading->pair;
	int64_t now_s = (int64_t)time(NULL);
	if (!before || !is_of_now(before, now_s) || is_of_now(pair, now_s))
		return true;
	return pair_fail(loading, "certificate \"%s\" %s, and the one in force is good", pair->file,
		pair->not_before_s > now_s ? "is not valid yet" : "has expired");
}

/* --- what is stapled --- */

static bool same_leaf(const struct tls_pair *a, const struct tls_pair *b)
{
	return X509_cmp(tls_pair_leaf(a), tls_pair_leaf(b)) == 0;
}

/* A certificate does not wait for a response that is not there yet, or broken. */
static bool take_ocsp(struct loading *loading, const struct tls_pair *before)
{
	struct tls_pair *pair = loading->pair;
	char fault[TLS_MESSAGE_MAX] = "";
	pair->has_ocsp_file = loading->files->ocsp_response;
	if (!pair->has_ocsp_file ||
		tls_ocsp_load(&pair->ocsp, loading->files->ocsp_response, pair->chain, fault))
		return true;
	pair->ocsp_fault = OPENSSL_strdup(fault);
	bool done = pair->ocsp_fault;
	if (done && before && before->ocsp.der && same_leaf(pair, before)) {
		pair->ocsp = before->ocsp;
		pair->ocsp.der = OPENSSL_memdup(before->ocsp.der, before->ocsp.len);
		done = pair->ocsp.der;
	}
	return done || pair_fail(loading, "certificate \"%s\": out of memory", pair->file);
}

static bool fits(const struct loading *loading)
{
	struct tls_pair *pair = loading->pair;
	if (chain_bytes(pair) + pair->ocsp.len <= CHAIN_BYTES_MAX)
		return true;
	return pair_fail(loading,
		"certificate \"%s\": chain and OCSP response are more than %d bytes", pair->file,
		CHAIN_BYTES_MAX);
}

static bool digest_all(struct tls_pair *pair)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	uint8_t each[32];
	bool done = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;
	for (int i = 0; done && i < sk_X509_num(pair->chain); i++)
		done = X509_digest(sk_X509_value(pair->chain, i), EVP_sha256(), each, NULL) == 1 &&
			EVP_DigestUpdate(sum, each, sizeof each) == 1;
	if (done && pair->ocsp.der)
		done = EVP_DigestUpdate(sum, pair->ocsp.der, pair->ocsp.len) == 1;
	if (done && pair->ocsp_fault)
		done = EVP_DigestUpdate(sum, pair->ocsp_fault, strlen(pair->ocsp_fault)) == 1;
	done = done && EVP_DigestFinal_ex(sum, pair->digest, NULL) == 1;
	EVP_MD_CTX_free(sum);
	return done;
}

/* --- all of it --- */

bool tls_pair_use(const struct tls_pair *pair, SSL_CTX *settings)
{
	STACK_OF(X509) *rest = sk_X509_dup(pair->chain);
	if (!rest)
		return false;
	sk_X509_shift(rest);
	bool done =
		SSL_CTX_use_cert_and_key(settings, tls_pair_leaf(pair), pair->key, rest, 1) == 1;
	sk_X509_free(rest);
	return done;
}

/* What OpenSSL will not have is known before it is needed. */
static bool openssl_takes_it(const struct loading *loading)
{
	SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
	bool done =
		settings && tls_settings_apply(settings) && tls_pair_use(loading->pair, settings);
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	SSL_CTX_free(settings);
	return done ||
		pair_fail(loading, "certificate \"%s\": OpenSSL refuses it: %s",
			loading->pair->file, reason ? reason : "no reason given");
}

static bool take_leaf(struct loading *loading)
{
	struct tls_pair *pair = loading->pair;
	X509 *leaf = tls_pair_leaf(pair);
	pair->not_before_s = tls_asn1_seconds(X509_get0_notBefore(leaf));
	pair->not_after_s = tls_asn1_seconds(X509_get0_notAfter(leaf));
	return tls_alt_names_read(&pair->alt_names, leaf) ||
		pair_fail(loading, "certificate \"%s\": out of memory", pair->file);
}

static bool read_files(struct loading *loading)
{
	struct tls_pair *pair = loading->pair;
	pair->file = OPENSSL_strdup(loading->files->certificate);
	pair->key_file = OPENSSL_strdup(loading->files->key);
	if (!pair->file || !pair->key_file)
		return pair_fail(loading, "certificate: out of memory");
	pair->chain = tls_pem_certificates(pair->file, loading->message);
	if (!pair->chain)
		return false;
	pair->key = tls_pem_key(pair->key_file, &pair->key_is_open_to_all, loading->message);
	return pair->key;
}

struct tls_pair *tls_pair_load(const struct tls_certificate_files *files, struct tls_pair *before,
	char message[TLS_MESSAGE_MAX])
{
	struct tls_pair *pair = OPENSSL_zalloc(sizeof *pair);
	struct loading loading = { .pair = pair, .files = files, .message = message };
	bool done = false;
	message[0] = '\0';
	ERR_clear_error();
	if (!pair)
		return NULL;
	atomic_init(&pair->references, 1);
	done = read_files(&loading) && key_matches(&loading) && key_is_sane(&loading) &&
		chain_is_sane(&loading) && openssl_takes_it(&loading) && take_leaf(&loading) &&
		dates_may_follow(&loading, before) && take_ocsp(&loading, before) &&
		fits(&loading) && digest_all(pair);
	ERR_clear_error();
	if (done)
		return pair;
	tls_pair_unref(pair);
	return NULL;
}

struct tls_pair *tls_pair_ref(struct tls_pair *pair)
{
	atomic_fetch_add_explicit(&pair->references, 1, memory_order_relaxed);
	return pair;
}

void tls_pair_unref(struct tls_pair *pair)
{
	if (!pair || atomic_fetch_sub_explicit(&pair->references, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(pair->key);
	sk_X509_pop_free(pair->chain, X509_free);
	tls_alt_names_free(&pair->alt_names);
	tls_ocsp_deinit(&pair->ocsp);
	OPENSSL_free(pair->ocsp_fault);
	OPENSSL_free(pair->key_file);
	OPENSSL_free(pair->file);
	OPENSSL_free(pair);
}

/* --- what is odd about it --- */

static void warn_of_leaf(const struct tls_pair *pair)
{
	X509 *leaf = tls_pair_leaf(pair);
	int64_t now_s = (int64_t)time(NULL);
	if (pair->not_after_s <= now_s)
		log_warning("tls: certificate \"%s\" has expired", pair->file);
	if (pair->not_before_s > now_s)
		log_warning("tls: certificate \"%s\" is not valid yet", pair->file);
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		log_warning("tls: certificate \"%s\" is not one for a TLS server", pair->file);
	if (X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) < 0)
		log_warning("tls: certificate \"%s\" has no subjectAltName; clients will refuse it",
			pair->file);
}

static void warn_of_chain(const struct tls_pair *pair)
{
	for (int i = 1; i < sk_X509_num(pair->chain); i++)
		if (X509_check_issued(sk_X509_value(pair->chain, i),
			    sk_X509_value(pair->chain, i - 1)) != X509_V_OK)
			log_warning("tls: certificate \"%s\": number %d in it did not sign number "
				    "%d; clients may refuse it",
				pair->file, i + 1, i);
}

static void warn_of_key(const struct tls_pair *pair)
{
	int bits = EVP_PKEY_get_bits(pair->key);
	if (pair->kind == TLS_KEY_RSA && bits > RSA_BITS_SLOW)
		log_warning("tls: key \"%s\": RSA of %d bits makes each handshake slow",
			pair->key_file, bits);
	if (pair->key_is_open_to_all)
		log_warning("tls: key \"%s\" can be read by every user of this machine",
			pair->key_file);
}

/* RFC 7633: such a certificate is good only with a response. */
static bool must_staple(const struct tls_pair *pair)
{
	TLS_FEATURE *features = X509_get_ext_d2i(tls_pair_leaf(pair), NID_tlsfeature, NULL, NULL);
	bool must = false;
	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		must |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return must;
}

static void warn_of_ocsp(const struct tls_pair *pair)
{
	if (pair->ocsp_fault)
		log_warning("tls: %s: %s", pair->ocsp_fault,
			pair->ocsp.der ? "the one before is stapled" : "nothing is stapled");
	if (!pair->ocsp.der && must_staple(pair))
		log_warning("tls: certificate \"%s\" is good only with an OCSP response stapled to "
			    "it; clients will refuse it",
			pair->file);
}

static void warn_of_lost_names(const struct tls_pair *pair, const struct tls_pair *before)
{
	size_t lost = 0;
	for (size_t i = 0; i < before->alt_names.name_count; i++) {
		const char *name = before->alt_names.names[i];
		if (tls_alt_names_have(&pair->alt_names, name))
			continue;
		if (lost++ < NAMES_TOLD_MAX)
			log_warning("tls: certificate \"%s\" has not the name %s any more",
				pair->file, name);
	}
	if (lost > NAMES_TOLD_MAX)
		log_warning("tls: certificate \"%s\" has not %zu other names any more", pair->file,
			lost - NAMES_TOLD_MAX);
}

void tls_pair_warn(const struct tls_pair *pair, const struct tls_pair *before)
{
	warn_of_leaf(pair);
	warn_of_chain(pair);
	warn_of_key(pair);
	warn_of_ocsp(pair);
	if (before)
		warn_of_lost_names(pair, before);
}
