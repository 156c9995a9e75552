/* suffix_parents.h - domains below which somebody gives names away: "amazonaws.com", because
 * "s3.amazonaws.com" is a public suffix of the private section. Whoever allows everything below
 * such a domain allows what strangers put there. libpsl answers for a name, not for what is below
 * it, so the list's text is read. */
#ifndef PROXY_LISTS_SUFFIX_PARENTS_H
#define PROXY_LISTS_SUFFIX_PARENTS_H

#include "base/slice.h"

struct suffix_parents;

/* From the text of the public suffix list. NULL when out of memory or when the text has no private
 * section. */
struct suffix_parents *suffix_parents_read(struct slice text);
/* From the text that this system has; NULL when it has none. */
struct suffix_parents *suffix_parents_open(void);
void suffix_parents_close(struct suffix_parents *parents); /* NULL is fine */

/* Is a private suffix below `name` (wire, lower case)? */
bool suffix_parents_have(const struct suffix_parents *parents, struct slice name);

#endif
