/* control_explain.h - the verb "explain" of the control socket: judges a question by the policy
 * that is in force, with its lists, exceptions and schedules, and tells the trace in lines.
 *
 *     explain FROM NAME TYPE [KEY=VALUE]...
 *
 *     N rows, cut 0|1, revision R, hash HASH     "cut": there were more than a trace can have
 *     ... as many rows from number FROM on as fit, as trace_words.h has them
 *     next NUMBER                                0 when it was all
 *
 * Keys: client, view, listener, path, tls_name, certificate (may come again), token (the SHA-256 of
 * its text in hexadecimal digits: a secret has no business here), answer or live (a message,
 * base64url; the second one came just now), now (seconds since 1970, so that all pages are of one
 * time). Values as control_word_write() has them. Every page judges anew, which takes less than
 * remembering. */
#ifndef PROXY_CONTROL_CONTROL_EXPLAIN_H
#define PROXY_CONTROL_CONTROL_EXPLAIN_H

#include "proxy/control/control_verbs.h"
#include "proxy/explain/explain.h"

enum { CONTROL_CERTIFICATES_MAX = 4 };

/* What a request asks; texts are in it. */
struct control_explain {
	struct explain_question question;
	size_t from;
	int64_t now_s; /* 0: the program's */
	char texts[CONTROL_LINE_MAX];
	size_t texts_len;
	struct slice certificate[CONTROL_CERTIFICATES_MAX];
	uint8_t token[CLAIMS_TOKEN_LEN];
	uint8_t answer[CONTROL_LINE_MAX];
};

/* NULL, or what is wrong with it. Names of views and listeners are looked up in `config`. */
const char *control_explain_read(struct control_explain *to, const struct config *config,
	const struct control_request *request);

/* The verb. NULL, or what went wrong. */
const char *control_explain_run(const struct control_source *source,
	const struct control_request *request, struct writer *answer);

#endif
