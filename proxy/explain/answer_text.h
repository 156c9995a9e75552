/* answer_text.h - an answer that somebody has on paper, as a DNS message that can be judged: lines
 * of records in presentation form, what dig and kdig print, or a message as it came over the wire,
 * raw or in hexadecimal digits. Pure; the bytes are a stranger's. */
#ifndef PROXY_EXPLAIN_ANSWER_TEXT_H
#define PROXY_EXPLAIN_ANSWER_TEXT_H

#include "dns/answer.h"

enum { ANSWER_TEXT_ERROR_MAX = 320 };

struct answer_text {
	struct slice message;              /* in the caller's buffer; it opens as an answer */
	unsigned record_count;             /* of the answer section */
	unsigned left_out;                 /* records whose text is not understood */
	char error[ANSWER_TEXT_ERROR_MAX]; /* why it is none */
};

/* Reads `text` as the answer to a question of `name` (as asked) and `type`. Of what dig prints the
 * answer section alone counts; without such a line every record does. Owners chain as they stand.
 * False, and an error, when there is no record in it, or it does not fit into `capacity` bytes
 * (DNS_MESSAGE_MAX is enough for every message). */
bool answer_text_read(struct answer_text *answer, struct slice text, struct slice name,
	uint16_t type, void *buffer, size_t capacity);

#endif
