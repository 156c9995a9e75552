/* escape.h - foreign text made safe for what we write: JSON strings, Prometheus labels, terminals.
 * Whatever the bytes are, what comes out is valid UTF-8 without control characters; a byte that is
 * not UTF-8 becomes U+FFFD. Nothing is allocated. */
#ifndef PROXY_WATCH_ESCAPE_H
#define PROXY_WATCH_ESCAPE_H

#include "base/writer.h"

/* The inside of a JSON string (RFC 8259 section 7): at most `max` bytes, cut between characters. */
void escape_json(struct writer *to, struct slice text, size_t max);

/* The inside of a label value (Prometheus text format 0.0.4): backslash, quote and line feed are
 * escaped; other control characters, for which the format has no escape, become U+FFFD. */
void escape_label(struct writer *to, struct slice text, size_t max);

/* A piece of a line that people read: control characters become U+FFFD, the rest stays. */
void escape_text(struct writer *to, struct slice text, size_t max);

#endif
