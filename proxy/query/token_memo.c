#include "proxy/query/token_memo.h"

#include <stdlib.h>

#include "base/random.h"
#include "tls/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert((int)CLAIMS_TOKEN_LEN == (int)DIGEST_SHA256_LEN, "a token's digest is a SHA-256");

struct place {
	uint64_t hash;
	bool taken;
	size_t len;
	uint8_t text[TOKEN_TEXT_MAX];
	uint8_t digest[CLAIMS_TOKEN_LEN];
};

struct token_memo {
	uint64_t salt;
	struct place places[TOKEN_MEMO_PLACES];
};

struct token_memo *token_memo_new(void)
{
	struct token_memo *memo = calloc(1, sizeof *memo);
	if (memo)
		random_fill(&memo->salt, sizeof memo->salt);
	return memo;
}

void token_memo_free(struct token_memo *memo)
{
	if (memo)
		explicit_bzero(memo, sizeof *memo);
	free(memo);
}

const uint8_t *token_memo_digest(struct token_memo *memo, struct slice text)
{
	if (text.len > TOKEN_TEXT_MAX)
		return NULL;
	uint64_t hash = XXH3_64bits_withSeed(text.at, text.len, memo->salt);
	struct place *place = &memo->places[hash % TOKEN_MEMO_PLACES];
	if (place->taken && place->hash == hash &&
		slice_equals_secret(slice_of(place->text, place->len), text))
		return place->digest;
	place->taken = digest_sha256(text, place->digest);
	place->hash = hash;
	place->len = text.len;
	if (text.len)
		memcpy(place->text, text.at, text.len);
	return place->taken ? place->digest : NULL;
}
