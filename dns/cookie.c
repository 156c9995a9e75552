#include "dns/cookie.h"

#include "base/hex.h"
#include "base/reader.h"

enum {
	VERSION = 1,
	HEAD_LEN = 8, /* version, reserved, timestamp: what stands before the hash */
	OPTION_LEN_MIN = DNS_COOKIE_CLIENT_LEN + 8,
	OPTION_LEN_MAX = DNS_COOKIE_CLIENT_LEN + 32,
};

/* ---- what is hashed ---- */

/* RFC 9018 4.4: Client Cookie | Version | Reserved | Timestamp | Client-IP, of which the last has 4
 * bytes or 16. `front` is all but the address. */
static uint64_t hash_of(const uint8_t key[SIPHASH_KEY_LEN],
	const uint8_t front[DNS_COOKIE_CLIENT_LEN + HEAD_LEN], const struct address *client)
{
	uint8_t input[DNS_COOKIE_CLIENT_LEN + HEAD_LEN + 16];
	size_t skipped = address_is_v4(client) ? 12 : 0;
	struct writer to = writer_of(input, sizeof input);
	writer_bytes(&to, front, DNS_COOKIE_CLIENT_LEN + HEAD_LEN);
	writer_bytes(&to, client->bytes + skipped, sizeof client->bytes - skipped);
	return siphash(key, writer_slice(&to));
}

/* SipHash gives its bytes from the lowest on. */
static uint64_t read_hash(const uint8_t *at)
{
	uint64_t hash = 0;
	for (unsigned i = 0; i < 8; i++)
		hash |= (uint64_t)at[i] << (8 * i);
	return hash;
}

static void write_hash(uint8_t *at, uint64_t hash)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(hash >> (8 * i));
}

/* ---- checking ---- */

/* Which secret it was made with; `count` when with none. As long for one as for another. */
static unsigned find_secret(
	const struct dns_cookie_secrets *secrets, struct slice value, const struct address *client)
{
	uint64_t hash = read_hash(value.at + DNS_COOKIE_CLIENT_LEN + HEAD_LEN);
	unsigned found = secrets->count;
	for (unsigned i = secrets->count; i-- > 0;)
		if (hash_of(secrets->keys[i], value.at, client) == hash)
			found = i;
	return found;
}

enum dns_cookie_state dns_cookie_check(const struct dns_cookie_secrets *secrets, struct slice value,
	const struct address *client, uint32_t now_s)
{
	struct reader fields = reader_of(value);
	if (value.len == DNS_COOKIE_CLIENT_LEN)
		return DNS_COOKIE_CLIENT;
	if (value.len < OPTION_LEN_MIN || value.len > OPTION_LEN_MAX)
		return DNS_COOKIE_MALFORMED;
	reader_skip(&fields, DNS_COOKIE_CLIENT_LEN);
	/* The reserved bytes may be other than 0: they are hashed as they came. */
	uint32_t version = reader_u32(&fields) >> 24;
	int32_t age_s = (int32_t)(now_s - reader_u32(&fields));
	if (value.len != DNS_COOKIE_LEN || version != VERSION || age_s > DNS_COOKIE_AGE_MAX_S ||
		age_s < -DNS_COOKIE_AHEAD_MAX_S)
		return DNS_COOKIE_INVALID;
	unsigned secret = find_secret(secrets, value, client);
	if (secret == secrets->count)
		return DNS_COOKIE_INVALID;
	return secret > 0 || age_s > DNS_COOKIE_RENEW_S ? DNS_COOKIE_OLD : DNS_COOKIE_FRESH;
}

/* ---- making ---- */

void dns_cookie_make(uint8_t cookie[DNS_COOKIE_LEN], const struct dns_cookie_secrets *secrets,
	struct slice value, const struct address *client, uint32_t now_s)
{
	struct writer to = writer_of(cookie, DNS_COOKIE_LEN);
	writer_bytes(&to, value.at, DNS_COOKIE_CLIENT_LEN);
	writer_u32(&to, (uint32_t)VERSION << 24);
	writer_u32(&to, now_s);
	write_hash(cookie + to.len, hash_of(secrets->keys[0], cookie, client));
}

/* ---- secrets ---- */

unsigned dns_cookie_secrets_read(struct dns_cookie_secrets *secrets, struct slice text)
{
	unsigned number = 0;
	secrets->count = 0;
	while (text.len > 0) {
		struct slice line = slice_take_line(&text);
		number++;
		if (line.len == 0 || line.at[0] == '#')
			continue;
		if (secrets->count == DNS_COOKIE_SECRETS_MAX ||
			!hex_read(secrets->keys[secrets->count], SIPHASH_KEY_LEN, line))
			return number;
		secrets->count++;
	}
	if (secrets->count > 0)
		return 0;
	return number > 0 ? number : 1;
}
