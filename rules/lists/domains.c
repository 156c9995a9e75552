/* domains.c - the file that AWS imports: one pattern a line. "example.com" is that name alone,
 * "*.example.com" is everything below it but not itself, "*" is every name. */
#include "rules/lists/format.h"

static void domains_read_line(struct list_reading *reading, struct slice line)
{
	struct dns_name name = { .len = 1 };
	struct slice text = line;
	bool below = list_take_asterisk(&text);
	if (below && text.len == 0) {
		list_tell_pattern(reading, &name, PATTERN_BOTH);
		return;
	}
	enum list_reject reject = list_read_name(text, &name);
	if (reject)
		list_tell_reject(reading, reject, line);
	else
		list_tell_pattern(reading, &name, below ? PATTERN_BELOW : PATTERN_EXACT);
}

const struct list_format_type list_format_domains = {
	.name = "domains",
	.read_line = domains_read_line,
};
