/* dns_json.h - DNS as JSON, as the public resolvers have it (application/dns-json; no RFC): what a
 * browser's scripts and people with curl ask, "?name=example.com&type=AAAA", and what they are
 * told. Both are only other ways to write a DNS message: it is asked and answered as all others. */
#ifndef PROXY_FRAMING_DNS_JSON_H
#define PROXY_FRAMING_DNS_JSON_H

#include "dns/name.h"

enum {
	DNS_JSON_QUESTION_MAX = 300, /* bytes of a message that asks */
	DNS_JSON_LEAST = 4096,       /* for the question and all that is not a record */
	DNS_JSON_MAX = 65535,        /* of an answer; records beyond are left out */
};

#define DNS_JSON_MEDIA_TYPE "application/dns-json"

/* What the parameters asked for. Zeros are a beginning. */
struct dns_json_question {
	struct dns_name name; /* len 0: none yet */
	bool is_broken;       /* a parameter that cannot be read */
	bool type_found;
	bool checking_disabled;
	bool dnssec_ok;
	uint16_t type;
	unsigned seen; /* parameters, by their bits */
};

/* Takes one parameter of the query part, as it stands there ("%2e" is read); those that mean
 * nothing here are passed over. Of two with the same key the first counts.
 * "name"      required; presentation form
 * "type"      a name or a number; A unless given
 * "cd", "do"  "1" or "true"; "0", "false" or nothing */
void dns_json_take(struct dns_json_question *question, struct slice key, struct slice value);

/* Was there a "name"? */
bool dns_json_is_asked(const struct dns_json_question *question);

/* The message that asks it, with id 0 (RFC 8484 4.1). False when it was broken. */
bool dns_json_write_question(struct writer *to, const struct dns_json_question *question);

/* The JSON text of an answer, at least DNS_JSON_LEAST bytes of room. Records that find no room, or
 * whose text has more than DNS_JSON_DATA_MAX bytes, are left out with all behind them: "TC" is true
 * then, `*is_whole` false. False when `answer` is not an answer, or one without a question. */
enum { DNS_JSON_DATA_MAX = 16 * 1024 };
bool dns_json_write(struct writer *to, struct slice answer, bool *is_whole);

#endif
