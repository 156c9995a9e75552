/* null.h - a responder that does no DNS work. */
#ifndef BENCH_NULL_NULL_H
#define BENCH_NULL_NULL_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NULL_QUESTION_SIZE = 2048,
	NULL_RECORD_LEN = 16,
	NULL_ANSWER_SIZE = NULL_QUESTION_SIZE + NULL_RECORD_LEN,
};

/* The question as it came, with QR and RA set and one A record of 300 s; at most len and
 * NULL_RECORD_LEN bytes. Returns the length. Questions of fewer than 17 bytes are not for it. */
size_t null_answer(uint8_t *to, const uint8_t *question, size_t len);

/* Never return. Ends the program with a word when it cannot listen. */
_Noreturn void null_serve_udp(uint16_t port);
_Noreturn void null_serve_tls(uint16_t port, bool is_doh, const char *certificate, const char *key);

/* A session of HTTP/2 that answers POST and GET; `context` belongs to the caller. */
nghttp2_session *null_h2_new(void *context);

#endif
