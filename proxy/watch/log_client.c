/* Hashed words are SipHash-2-4 of the address or the name: a pseudo-random function, so that
 * somebody who knows some clients and their words can tell nothing about the others, which a fast
 * hash with a secret seed does not promise; and at some 20 ns cheaper by far than an HMAC. Who has
 * the key can try all addresses: the key is what has to be kept. */
#include "proxy/watch/log_client.h"

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "proxy/watch/escape.h"
#include "tls/digest.h"

enum {
	ID_MAX = 255,
	TRUNCATED_V4_LEN = 15, /* bytes of ::ffff:192.0.2 */
	TRUNCATED_V6_LEN = 6,
};

/* Addresses and names are different worlds, even where their bytes are alike. */
enum domain { DOMAIN_ADDRESS, DOMAIN_ID };

int log_client_key(const char *file, uint8_t key[SIPHASH_KEY_LEN])
{
	uint8_t bytes[LOG_CLIENT_KEY_MAX + 1];
	uint8_t digest[DIGEST_SHA256_LEN];
	if (!file) {
		random_fill(key, SIPHASH_KEY_LEN);
		return 0;
	}
	size_t len;
	int error = file_read(file, bytes, sizeof bytes, &len);
	if (!error && (len < LOG_CLIENT_KEY_MIN || len > LOG_CLIENT_KEY_MAX))
		error = ERR_INVALID;
	if (!error && !digest_sha256(slice_of(bytes, len), digest))
		error = ERR_NO_MEMORY;
	explicit_bzero(bytes, sizeof bytes);
	if (!error)
		memcpy(key, digest, SIPHASH_KEY_LEN);
	return error;
}

static void write_hash(struct writer *to, enum domain domain, struct slice bytes,
	const uint8_t key[SIPHASH_KEY_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t input[1 + ID_MAX];
	size_t len = bytes.len < ID_MAX ? bytes.len : ID_MAX;
	input[0] = (uint8_t)domain;
	memcpy(input + 1, bytes.at, len);
	uint64_t hash = siphash(key, slice_of(input, 1 + len));
	for (int shift = 60; shift >= 0; shift -= 4)
		writer_u8(to, (uint8_t)digits[hash >> shift & 0xf]);
}

static void write_truncated(struct writer *to, const struct address *address)
{
	struct address network = { { 0 } };
	memcpy(network.bytes, address->bytes,
		address_is_v4(address) ? TRUNCATED_V4_LEN : TRUNCATED_V6_LEN);
	address_write(to, &network);
}

void log_client_write_address(struct writer *to, const struct address *address,
	enum log_clients clients, const uint8_t key[SIPHASH_KEY_LEN])
{
	switch (clients) {
	case LOG_CLIENTS_FULL: address_write(to, address); return;
	case LOG_CLIENTS_TRUNCATED: write_truncated(to, address); return;
	case LOG_CLIENTS_HASHED:
		write_hash(
			to, DOMAIN_ADDRESS, slice_of(address->bytes, sizeof address->bytes), key);
		return;
	default: return;
	}
}

bool log_client_write_id(struct writer *to, struct slice id, enum log_clients clients,
	const uint8_t key[SIPHASH_KEY_LEN])
{
	if (id.len == 0 || (clients != LOG_CLIENTS_FULL && clients != LOG_CLIENTS_HASHED))
		return false;
	if (clients == LOG_CLIENTS_FULL)
		escape_json(to, id, ID_MAX);
	else
		write_hash(to, DOMAIN_ID, id, key);
	return true;
}
