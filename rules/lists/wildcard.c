/* wildcard.c - lists of domains that mean the name and everything below, as adblock's
 * "||example.com^" does: "example.com" and "*.example.com" say the same. */
#include "rules/lists/format.h"

static void wildcard_read_line(struct list_reading *reading, struct slice line)
{
	struct dns_name name = { .len = 1 };
	struct slice text = line;
	bool all = list_take_asterisk(&text) && text.len == 0;
	enum list_reject reject = all ? LIST_REJECT_NONE : list_read_name(text, &name);
	if (reject)
		list_tell_reject(reading, reject, line);
	else
		list_tell_pattern(reading, &name, PATTERN_BOTH);
}

const struct list_format_type list_format_wildcard = {
	.name = "wildcard",
	.read_line = wildcard_read_line,
};
