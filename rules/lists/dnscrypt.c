/* dnscrypt.c - the names that dnscrypt-proxy blocks (its example-blocked-names.txt and
 * pattern_matcher.go): "example.com", "*.example.com" and ".example.com" are the name and
 * everything below, "=example.com" is that name alone. Patterns ("ads.*", "*tracker*",
 * "ad[0-9]*.example.com") and names with a time ("example.com @work") are not about whole names,
 * all day long, and are left out. */
#include "rules/lists/format.h"

static bool is_pattern(struct slice text)
{
	return memchr(text.at, '*', text.len) || memchr(text.at, '?', text.len) ||
		memchr(text.at, '[', text.len) || memchr(text.at, '@', text.len);
}

static void dnscrypt_read_line(struct list_reading *reading, struct slice line)
{
	struct dns_name name;
	struct slice text = line;
	bool exact = list_take_prefix(&text, "=");
	if (!exact && !list_take_prefix(&text, "*."))
		list_take_prefix(&text, ".");
	enum list_reject reject =
		is_pattern(text) ? LIST_REJECT_NOT_DNS : list_read_name(text, &name);
	if (reject)
		list_tell_reject(reading, reject, line);
	else
		list_tell_pattern(reading, &name, exact ? PATTERN_EXACT : PATTERN_BOTH);
}

const struct list_format_type list_format_dnscrypt = {
	.name = "dnscrypt",
	.read_line = dnscrypt_read_line,
};
