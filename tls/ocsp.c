/* What a certificate's authority says of it, from a file that something else keeps fresh
 * (openssl ocsp, a hook of the ACME client): sent along with the certificate to clients that ask
 * for it (RFC 6066 8), so that they need not ask the authority, which would tell it who asks whom.
 *
 * A response that a client would not believe is worse than none: it ends handshakes. So all that
 * can be checked is checked when it is read. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utc.h"
#include "tls/private.h"

enum { CLOCK_SLACK_S = 300, DATE_TEXT_MAX = UTC_TEXT_LEN + 1 };

struct check {
	struct tls_file *file;
	STACK_OF(X509) * chain;
	OCSP_BASICRESP *basic;
	OCSP_SINGLERESP *single; /* that of the leaf */
};

static X509 *leaf_of(const struct check *check)
{
	return sk_X509_value(check->chain, 0);
}

/* NULL: it is not in the chain. */
static X509 *issuer_of(const struct check *check)
{
	for (int i = 1; i < sk_X509_num(check->chain); i++)
		if (X509_check_issued(sk_X509_value(check->chain, i), leaf_of(check)) == X509_V_OK)
			return sk_X509_value(check->chain, i);
	return NULL;
}

/* The hash of the issuer's name, and with the issuer at hand that of its key, by the algorithm that
 * the response has chosen. */
static bool has_issuer(const struct check *check, OCSP_CERTID *id)
{
	ASN1_OCTET_STRING *name_hash;
	ASN1_OBJECT *algorithm;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	X509 *issuer = issuer_of(check);
	OCSP_id_get0_info(&name_hash, &algorithm, NULL, NULL, id);
	const EVP_MD *md = EVP_get_digestbyobj(algorithm);
	if (!md)
		return false;
	if (issuer) {
		OCSP_CERTID *wanted = OCSP_cert_to_id(md, leaf_of(check), issuer);
		bool same = wanted && OCSP_id_issuer_cmp(wanted, id) == 0;
		OCSP_CERTID_free(wanted);
		return same;
	}
	return X509_NAME_digest(X509_get_issuer_name(leaf_of(check)), md, digest, &len) == 1 &&
		len == (unsigned)ASN1_STRING_length(name_hash) &&
		memcmp(digest, ASN1_STRING_get0_data(name_hash), len) == 0;
}

static bool is_of_leaf(const struct check *check, OCSP_SINGLERESP *single)
{
	ASN1_INTEGER *serial;
	OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf_of(check))) == 0 &&
		has_issuer(check, id);
}

static bool find_single(struct check *check)
{
	for (int i = 0; i < OCSP_resp_count(check->basic) && !check->single; i++)
		if (is_of_leaf(check, OCSP_resp_get0(check->basic, i)))
			check->single = OCSP_resp_get0(check->basic, i);
	return check->single || tls_file_fail(check->file, "is about another certificate");
}

/* By the issuer, or by whom the issuer has given that right (RFC 6960 4.2.2.2). */
static bool signature_is_good(const struct check *check)
{
	X509 *issuer = issuer_of(check);
	X509_STORE *store = issuer ? X509_STORE_new() : NULL;
	if (!issuer)
		return true;
	bool good = store && X509_STORE_add_cert(store, issuer) == 1 &&
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
		OCSP_basic_verify(check->basic, check->chain, store, OCSP_NOEXPLICIT) == 1;
	X509_STORE_free(store);
	return good ||
		tls_file_fail(check->file, "is not signed by the certificate's issuer, nor for it");
}

static const char *date_text(const ASN1_GENERALIZEDTIME *date, char text[DATE_TEXT_MAX])
{
	struct writer to = writer_of(text, DATE_TEXT_MAX - 1);
	utc_write(&to, tls_asn1_seconds(date));
	text[to.len] = '\0';
	return text;
}

static bool says_good(const struct check *check, struct tls_ocsp *ocsp)
{
	ASN1_GENERALIZEDTIME *this_update, *next_update;
	char text[DATE_TEXT_MAX];
	int status = OCSP_single_get0_status(check->single, NULL, NULL, &this_update, &next_update);
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return tls_file_fail(
			check->file, "says of the certificate: %s", OCSP_cert_status_str(status));
	if (tls_asn1_seconds(this_update) > (int64_t)time(NULL) + CLOCK_SLACK_S)
		return tls_file_fail(
			check->file, "begins only on %s", date_text(this_update, text));
	ocsp->next_update_s = next_update ? tls_asn1_seconds(next_update) : INT64_MAX;
	return tls_ocsp_is_current(ocsp, (int64_t)time(NULL)) ||
		tls_file_fail(check->file, "has ended on %s", date_text(next_update, text));
}

static bool check_basic(struct check *check, struct tls_ocsp *ocsp)
{
	return find_single(check) && signature_is_good(check) && says_good(check, ocsp);
}

static bool check_response(struct check *check, struct tls_ocsp *ocsp)
{
	const unsigned char *at = (const unsigned char *)check->file->bytes;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)check->file->len);
	bool done = response && at == (const unsigned char *)check->file->bytes + check->file->len;
	if (!done)
		tls_file_fail(check->file, "not an OCSP response in DER, or not all of one");
	int status = done ? OCSP_response_status(response) : OCSP_RESPONSE_STATUS_SUCCESSFUL;
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		done = tls_file_fail(check->file, "the authority has not answered but said: %s",
			OCSP_response_status_str(status));
	check->basic = done ? OCSP_response_get1_basic(response) : NULL;
	if (done && !check->basic)
		done = tls_file_fail(check->file, "a response of a kind that is not known");
	done = done && check_basic(check, ocsp);
	OCSP_BASICRESP_free(check->basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return done;
}

static bool keep_bytes(struct tls_ocsp *ocsp, struct tls_file *file)
{
	if (file->len > TLS_OCSP_LEN_MAX)
		return tls_file_fail(file, "%zu bytes, %d at most", file->len, TLS_OCSP_LEN_MAX);
	ocsp->der = OPENSSL_memdup(file->bytes, file->len);
	ocsp->len = file->len;
	return ocsp->der || tls_file_fail(file, "out of memory");
}

bool tls_ocsp_load(struct tls_ocsp *ocsp, const char *name, STACK_OF(X509) * chain,
	char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = { .kind = "ocsp_response", .name = name, .message = message };
	struct check check = { .file = &file, .chain = chain };
	*ocsp = (struct tls_ocsp){ 0 };
	bool done = tls_file_open(&file) && check_response(&check, ocsp) && keep_bytes(ocsp, &file);
	tls_file_close(&file);
	if (!done)
		*ocsp = (struct tls_ocsp){ 0 };
	return done;
}

void tls_ocsp_deinit(struct tls_ocsp *ocsp)
{
	OPENSSL_free(ocsp->der);
	*ocsp = (struct tls_ocsp){ 0 };
}

bool tls_ocsp_is_current(const struct tls_ocsp *ocsp, int64_t now_s)
{
	return ocsp->next_update_s > now_s;
}
