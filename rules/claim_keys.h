/* claim_keys.h - all that views name of their clients, each word once and known by a number, so
 * that looking for what a client shows costs the same for one view and for a thousand.
 *
 * Found by a hash with a secret salt, and then compared in full; a token's digest in constant time.
 * So neither the place nor the time of a search says how much of a token was right. Immutable once
 * built. */
#ifndef RULES_CLAIM_KEYS_H
#define RULES_CLAIM_KEYS_H

#include "base/arena.h"
#include "rules/spec.h"

/* How a word is written decides what it matches. */
enum claim_form {
	CLAIM_FORM_CERTIFICATE, /* "dns:host.example": that claim */
	CLAIM_FORM_PREFIX,      /* "uri:spiffe://corp.example/" of ".../<star>", "dns:" of
				   "dns:<star>", "" of "<star>": what begins so */
	CLAIM_FORM_HOST_TAIL,   /* ".corp.example" of "dns:<star>.corp.example": one label more */
	CLAIM_FORM_MAIL_TAIL,   /* "@corp.example" of "email:<star>@corp.example": one mailbox */
	CLAIM_FORM_TOKEN,       /* a digest */
	CLAIM_FORM_PATH,
	CLAIM_FORM_TLS_NAME,
	CLAIM_FORM_TLS_TAIL, /* ".dns.example" of "<star>.dns.example": one label more */
};

/* The most specific claim of its kind has the highest rank; 0 is that of a view that names none. */
enum { CLAIM_RANK_ANY = 1, CLAIM_RANK_EXACT = UINT16_MAX };

struct claim_key {
	uint64_t hash;
	struct slice bytes;
	uint8_t form;
	uint16_t rank;
	uint32_t first_class; /* of those who look here: policy_admit.c's */
	uint32_t class_count;
	const char *name; /* of a token */
	int64_t until_s;  /* of a token; 0: it does not expire */
};

struct claim_keys {
	uint64_t salt;
	struct claim_key *keys; /* by hash */
	size_t count;
	uint16_t *prefix_lens; /* of all prefixes, each once, the longest first */
	size_t prefix_len_count;
};

enum { CLAIM_KEY_NONE = UINT32_MAX };

/* All words of the views, and all tokens; of a token that is there twice the one that expires
 * first. 0, ERR_NO_MEMORY, ERR_TOO_LONG (a word of more than CLAIM_WORD_MAX bytes), or ERR_INVALID
 * (the index of a token leads nowhere). Everything is taken from `memory`. */
enum { CLAIM_WORD_MAX = 4096 };
int claim_keys_build(struct claim_keys *keys, const struct policy_spec *spec, struct arena *memory);

/* The number of a word, or CLAIM_KEY_NONE. */
uint32_t claim_keys_find(const struct claim_keys *keys, enum claim_form form, struct slice bytes);

/* How many words of one kind a view names, and the i-th of them as a number. */
size_t claim_keys_view_count(const struct view_spec *view, enum claim_kind kind);
uint32_t claim_keys_view_key(const struct claim_keys *keys, const struct policy_spec *spec,
	const struct view_spec *view, enum claim_kind kind, size_t i);

/* What a client shows of one kind, as far as any view names it. */
struct shown_key {
	uint32_t key;
	uint16_t rank;
	struct slice who; /* what it shows, or its token's name */
};

enum { SHOWN_MAX = 64 };

struct shown {
	struct shown_key keys[SHOWN_MAX];
	size_t count;
};

/* Of a certificate that fulfils more than SHOWN_MAX words the exact ones count first, then the
 * longest. Each word is there once, for the first claim that fulfils it. */
void claim_keys_show_certificate(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown);
void claim_keys_show_tls_name(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown);
void claim_keys_show_path(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown);
/* Expired ones too. */
void claim_keys_show_token(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown);

#endif
