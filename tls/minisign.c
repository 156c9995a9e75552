#include "tls/minisign.h"

#include <openssl/evp.h>

#include "base/reader.h"
#include "tls/base64.h"

enum { ALGORITHM_LEN = 2, ID_LEN = 8, KEY_LEN = 32, SIGNED_LEN = 64, HASH_LEN = 64 };

/* As the bytes behind the base64 lie. */
struct public_key {
	uint8_t algorithm[ALGORITHM_LEN];
	uint8_t id[ID_LEN];
	uint8_t bytes[KEY_LEN];
};

struct signed_file {
	uint8_t algorithm[ALGORITHM_LEN];
	uint8_t key_id[ID_LEN];
	uint8_t bytes[SIGNED_LEN];
};

_Static_assert(sizeof(struct public_key) == ALGORITHM_LEN + ID_LEN + KEY_LEN, "no holes");
_Static_assert(sizeof(struct signed_file) == ALGORITHM_LEN + ID_LEN + SIGNED_LEN, "no holes");

struct signature {
	struct signed_file of_file;
	struct slice trusted_comment;
	uint8_t of_comment[SIGNED_LEN]; /* and of of_file.bytes */
};

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

/* --- parsing --- */

/* Takes a line off the front, without its end, be that LF or CR LF. */
static struct slice take_line(struct slice *text)
{
	const uint8_t *newline = text->len ? memchr(text->at, '\n', text->len) : NULL;
	size_t len = newline ? (size_t)(newline - text->at) : text->len;
	size_t taken = newline ? len + 1 : len;
	struct slice line = slice_of(text->at, len);
	*text = slice_of(text->at + taken, text->len - taken);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Takes `prefix` off. */
static bool take_prefix(struct slice *line, const char *prefix)
{
	size_t len = strlen(prefix);
	if (line->len < len || memcmp(line->at, prefix, len) != 0)
		return false;
	*line = slice_of(line->at + len, line->len - len);
	return true;
}

static bool is_only_line_ends(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '\n' && text.at[i] != '\r')
			return false;
	return true;
}

static bool key_read(struct public_key *key, const char *text)
{
	return base64_read(slice_of_text(text), (uint8_t *)key, sizeof *key) &&
		memcmp(key->algorithm, "Ed", ALGORITHM_LEN) == 0;
}

bool minisign_key_check(const char *public_key)
{
	struct public_key key;
	return key_read(&key, public_key);
}

static bool signature_read(struct signature *signature, struct slice text)
{
	if (text.len > MINISIGN_SIGNATURE_MAX)
		return false;
	struct slice comment = take_line(&text);
	struct slice of_file = take_line(&text);
	signature->trusted_comment = take_line(&text);
	struct slice of_comment = take_line(&text);
	return comment.len <= MINISIGN_COMMENT_MAX &&
		take_prefix(&comment, "untrusted comment: ") &&
		take_prefix(&signature->trusted_comment, "trusted comment: ") &&
		signature->trusted_comment.len <= MINISIGN_TRUSTED_COMMENT_MAX &&
		base64_read(of_file, (uint8_t *)&signature->of_file, sizeof signature->of_file) &&
		base64_read(of_comment, signature->of_comment, sizeof signature->of_comment) &&
		is_only_line_ends(text);
}

/* --- Ed25519 --- */

static bool holds(EVP_PKEY *key, const uint8_t signature[SIGNED_LEN], struct slice message)
{
	EVP_MD_CTX *check = EVP_MD_CTX_new();
	bool good = check && EVP_DigestVerifyInit(check, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(check, signature, SIGNED_LEN, message.at, message.len) == 1;
	EVP_MD_CTX_free(check);
	return good;
}

static bool file_holds(EVP_PKEY *key, const struct signed_file *of_file, struct slice file)
{
	uint8_t hash[HASH_LEN];
	if (memcmp(of_file->algorithm, "Ed", ALGORITHM_LEN) == 0)
		return holds(key, of_file->bytes, file);
	return EVP_Digest(file.at, file.len, hash, NULL, EVP_blake2b512(), NULL) == 1 &&
		holds(key, of_file->bytes, slice_of(hash, sizeof hash));
}

/* The file's signature stands before the comment, so that a comment goes with one file only. */
static bool comment_holds(EVP_PKEY *key, const struct signature *signature)
{
	uint8_t message[SIGNED_LEN + MINISIGN_TRUSTED_COMMENT_MAX];
	struct slice comment = signature->trusted_comment;
	memcpy(message, signature->of_file.bytes, SIGNED_LEN);
	if (comment.len)
		memcpy(message + SIGNED_LEN, comment.at, comment.len);
	return holds(key, signature->of_comment, slice_of(message, SIGNED_LEN + comment.len));
}

static bool both_hold(
	EVP_PKEY *key, const struct signature *signature, struct slice file, const char **why)
{
	if (!key)
		return refuse(why, "OpenSSL refused the public key");
	if (!file_holds(key, &signature->of_file, file))
		return refuse(why, "the signature is not of this file");
	if (!comment_holds(key, signature))
		return refuse(why, "the trusted comment is not the one that was signed");
	return true;
}

static bool is_known_algorithm(const uint8_t algorithm[ALGORITHM_LEN])
{
	return memcmp(algorithm, "Ed", ALGORITHM_LEN) == 0 ||
		memcmp(algorithm, "ED", ALGORITHM_LEN) == 0;
}

bool minisign_verify(
	struct slice file, struct slice signature, const char *public_key, const char **why)
{
	struct public_key key;
	struct signature read;
	*why = NULL;
	if (!file.at)
		file = slice_of("", 0);
	if (!key_read(&key, public_key))
		return refuse(why, "not a minisign public key");
	if (!signature_read(&read, signature))
		return refuse(why, "not a minisign signature");
	if (!is_known_algorithm(read.of_file.algorithm))
		return refuse(why, "a signature of an unknown algorithm");
	if (memcmp(read.of_file.key_id, key.id, ID_LEN) != 0)
		return refuse(why, "signed with another key");
	EVP_PKEY *openssl =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.bytes, sizeof key.bytes);
	bool good = both_hold(openssl, &read, file, why);
	EVP_PKEY_free(openssl);
	return good;
}
