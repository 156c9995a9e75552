/* trace_words.h - a trace as lines of words, for the control socket: the number of the kind, then
 * each field of the row in the order of its table; "-" is a text that is not there, "=" an empty
 * one, others are as control_word_write() has them. Pure; what is read may be a stranger's. */
#ifndef PROXY_EXPLAIN_TRACE_WORDS_H
#define PROXY_EXPLAIN_TRACE_WORDS_H

#include "proxy/explain/trace.h"

/* Row `number` of the trace, whatever its kind, in the order of the kinds, with a newline; false
 * when there is none of that number. */
bool trace_words_write(struct writer *to, const struct trace *trace, size_t number);

/* Takes one line without its newline. False when it is none: then nothing is added. */
bool trace_words_read(struct trace *trace, struct slice line);

#endif
