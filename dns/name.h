/* name.h - domain names in wire form: length-prefixed labels that may hold any byte
 * (RFC 1035 3.1, RFC 2181 11), ended by the root label. Everything that judges or compares uses
 * wire form; text is for people, configuration and logs only. */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/reader.h"
#include "base/writer.h"

enum {
	DNS_NAME_MAX = 255, /* bytes, root label included (RFC 1035 2.3.4) */
	DNS_LABEL_MAX = 63, /* bytes without the length */
	DNS_NAME_LABELS_MAX = 127,
	DNS_NAME_TEXT_MAX = 1009, /* every byte as \DDD plus dots, plus NUL */
};

/* A name by value. `len` counts the root label; 0 means "no name". */
struct dns_name {
	uint8_t len;
	uint8_t wire[DNS_NAME_MAX];
};

static inline struct slice dns_name_slice(const struct dns_name *name)
{
	return slice_of(name->wire, name->len);
}

/* Length of the uncompressed name at the front of `bytes`, root label included; 0 when there is
 * none: a pointer, a reserved label type, over 255 bytes, or the bytes end first. */
size_t dns_name_check(struct slice bytes);

/* Reads a name that may be compressed at the reader's position, in a reader over the message from
 * its first byte. Pointers must go strictly backwards, not into the header, and few may be without
 * a label of their own: so the work is bounded by the name's length, or 16 steps. The reader ends
 * behind the name's own bytes, or failed. Case is kept. */
void dns_name_read(struct reader *message, struct dns_name *name);

/* The same for a name that is only stepped over, compressed or not. */
void dns_name_skip(struct reader *message);

/* ASCII lower case of one byte, RFC 4343. */
static inline uint8_t dns_lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Copies `len` bytes of a wire name in lower case (length bytes are below 'A' and stay). */
void dns_name_lower(uint8_t *to, const uint8_t *from, size_t len);

/* Same name without regard to ASCII case. */
bool dns_name_equals(struct slice a, struct slice b);

/* Is `name` the same as `parent` or below it? Nothing is under "no name". */
bool dns_name_is_under(struct slice name, struct slice parent);

/* Offsets of each label's length byte in a checked name, the root label not included; returns how
 * many. The first is 0. */
size_t dns_name_labels(struct slice name, uint8_t offsets[DNS_NAME_LABELS_MAX]);

/* Presentation form (RFC 1035 5.1, RFC 4343 2.1) to wire: `\DDD` and `\X` escapes, one dot at the
 * end allowed, "." is the root. Case is kept. False when malformed, empty or too long. */
bool dns_name_from_text(struct dns_name *name, struct slice text);

/* Wire to text with a final dot: every byte but letters, digits, '-', '_' and '*' as \DDD, so that
 * what stands in a log or a terminal can be one thing only. */
void dns_name_write_text(struct writer *to, struct slice name);

/* The same of a name that has no byte to escape, as nearly every one has. False, with nothing
 * written, when it is another one, the root, or there is no room. */
bool dns_name_write_plain(struct writer *to, struct slice name);

/* The same into a NUL-terminated buffer. */
const char *dns_name_text(struct slice name, char text[DNS_NAME_TEXT_MAX]);

#endif
