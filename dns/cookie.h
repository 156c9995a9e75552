/* cookie.h - DNS cookies (RFC 7873), with server cookies as all servers of a fleet can make and
 * check them, whoever wrote them (RFC 9018): a client that shows one again has received what we
 * sent to its address, and so is not somebody else who forged it. Pure: the time and the address
 * come from the caller. */
#ifndef DNS_COOKIE_H
#define DNS_COOKIE_H

#include "base/address.h"
#include "base/siphash.h"

enum {
	DNS_COOKIE_CLIENT_LEN = 8,
	DNS_COOKIE_SERVER_LEN = 16,
	DNS_COOKIE_LEN = DNS_COOKIE_CLIENT_LEN + DNS_COOKIE_SERVER_LEN, /* as we answer it */
	DNS_COOKIE_SECRETS_MAX = 8,
	/* RFC 9018 4.3: how old a cookie may be, how far ahead a clock, and the age from which on
	 * another one is given. */
	DNS_COOKIE_AGE_MAX_S = 3600,
	DNS_COOKIE_AHEAD_MAX_S = 300,
	DNS_COOKIE_RENEW_S = 1800,
};

/* The first one makes cookies, all check them; there is one at least. */
struct dns_cookie_secrets {
	unsigned count;
	uint8_t keys[DNS_COOKIE_SECRETS_MAX][SIPHASH_KEY_LEN];
};

enum dns_cookie_state {
	DNS_COOKIE_MALFORMED, /* neither 8 bytes nor 16 to 40: FORMERR (RFC 7873 5.2.2) */
	DNS_COOKIE_CLIENT,    /* the client's part alone */
	DNS_COOKIE_INVALID,   /* not from us, not for this client, or of another time */
	DNS_COOKIE_OLD,       /* good, but to be replaced: old, or made with an older secret */
	DNS_COOKIE_FRESH,     /* good, and given back as it is */
};

/* Judges the value of the option. `now_s` is the time of day, seconds since 1970; its upper bits
 * do not count, timestamps are compared as serial numbers (RFC 1982). */
enum dns_cookie_state dns_cookie_check(const struct dns_cookie_secrets *secrets, struct slice value,
	const struct address *client, uint32_t now_s);

/* Makes what the answer says: the client's part (the first bytes of `value`, which is not
 * malformed) and a server cookie of now. */
void dns_cookie_make(uint8_t cookie[DNS_COOKIE_LEN], const struct dns_cookie_secrets *secrets,
	struct slice value, const struct address *client, uint32_t now_s);

/* Reads secrets from a text, one in a line, as 32 hexadecimal digits; empty lines and those that
 * begin with '#' do not count. 0, or the number of the first line that is neither; that of the last
 * line when there are too many, or none. What was read before is in `secrets` even then. */
unsigned dns_cookie_secrets_read(struct dns_cookie_secrets *secrets, struct slice text);

#endif
