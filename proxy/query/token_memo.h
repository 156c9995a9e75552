/* token_memo.h - digests of tokens that were shown lately, so that a client that asks often does
 * not make us hash its token each time. One worker's; a fixed number of places, and a newcomer
 * takes the place of another.
 *
 * The texts of tokens are here and nowhere else. Places are found by a hash with a secret salt and
 * texts compared in constant time: how long a look-up takes tells nothing about other clients'. */
#ifndef PROXY_QUERY_TOKEN_MEMO_H
#define PROXY_QUERY_TOKEN_MEMO_H

#include "rules/claims.h"

enum { TOKEN_TEXT_MAX = 256, TOKEN_MEMO_PLACES = 64 };

struct token_memo;

/* NULL when out of memory. */
struct token_memo *token_memo_new(void);
void token_memo_free(struct token_memo *memo);

/* The SHA-256 of a token's text, CLAIMS_TOKEN_LEN bytes that live until the next call. NULL: no
 * token is that long, or OpenSSL has no memory. */
const uint8_t *token_memo_digest(struct token_memo *memo, struct slice text);

#endif
