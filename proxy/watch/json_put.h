/* json_put.h - the members of a JSON object, one after the other: commas come by themselves. The
 * braces are the caller's. Nothing is allocated. */
#ifndef PROXY_WATCH_JSON_PUT_H
#define PROXY_WATCH_JSON_PUT_H

#include "base/writer.h"

enum { JSON_PUT_TEXT_MAX = 4096 }; /* bytes of a text, escaped; what is more is cut off */

/* `"key":`, with a comma in front of it unless it is the first member. */
void json_put_key(struct writer *to, const char *key);
void json_put_number(struct writer *to, const char *key, uint64_t value);
void json_put_slice(struct writer *to, const char *key, struct slice text);
/* NULL and "" are left out. */
void json_put_text(struct writer *to, const char *key, const char *text);

#endif
