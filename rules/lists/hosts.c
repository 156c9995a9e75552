/* hosts.c - hosts(5): "ADDRESS name [name...] [# comment]", each name exact. The address says
 * nothing but that this is a hosts line. */
#include "rules/lists/format.h"

/* What every hosts list has at its top because the file once was somebody's /etc/hosts. Peers skip
 * these lines, and so they are nothing here: neither patterns nor rejects. */
#define OWN_NAME(text) text, sizeof text - 1
static const struct {
	const char *text;
	size_t len;
} own_names[] = {
	{ OWN_NAME("localhost") },
	{ OWN_NAME("localhost.localdomain") },
	{ OWN_NAME("local") },
	{ OWN_NAME("broadcasthost") },
	{ OWN_NAME("ip6-localhost") },
	{ OWN_NAME("ip6-loopback") },
	{ OWN_NAME("ip6-localnet") },
	{ OWN_NAME("ip6-mcastprefix") },
	{ OWN_NAME("ip6-allnodes") },
	{ OWN_NAME("ip6-allrouters") },
	{ OWN_NAME("ip6-allhosts") },
	{ OWN_NAME("0.0.0.0") },
};
#undef OWN_NAME

static bool is_own_name(struct slice word)
{
	for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++)
		if (slice_equals(word, slice_of(own_names[i].text, own_names[i].len)))
			return true;
	return false;
}

/* "fe80::1%lo0" is written so on macOS. */
static bool is_host_address(struct list_reading *reading, struct slice word)
{
	/* Nearly always the same as on the line before. */
	if (slice_equals(word, reading->address))
		return true;
	const uint8_t *zone = memchr(word.at, '%', word.len);
	size_t len = zone ? (size_t)(zone - word.at) : word.len;
	if (memchr(word.at, '/', word.len) || !list_is_address(slice_of(word.at, len)))
		return false;
	reading->address = word;
	return true;
}

static void hosts_read_name(struct list_reading *reading, struct slice word)
{
	struct dns_name name;
	if (is_own_name(word))
		return;
	enum list_reject reject = list_read_name(word, &name);
	if (reject)
		list_tell_reject(reading, reject, word);
	else
		list_tell_pattern(reading, &name, PATTERN_EXACT);
}

static void hosts_read_line(struct list_reading *reading, struct slice line)
{
	struct slice rest = line;
	bool address = is_host_address(reading, list_take_word(&rest));
	struct slice word = list_take_word(&rest);
	if (word.len == 0) {
		list_tell_reject(reading, LIST_REJECT_NO_NAME, line);
		return;
	}
	if (!address) {
		list_tell_reject(reading, LIST_REJECT_NOT_A_NAME, line);
		return;
	}
	for (; word.len; word = list_take_word(&rest))
		hosts_read_name(reading, word);
}

static enum list_likeness hosts_resembles(struct slice line)
{
	struct list_reading reading = { .line = 1 };
	bool address = is_host_address(&reading, list_take_word(&line));
	return address && list_take_word(&line).len ? LIST_SURE : LIST_FOREIGN;
}

const struct list_format_type list_format_hosts = {
	.name = "hosts",
	.comments = LIST_COMMENTS_ANYWHERE,
	.read_line = hosts_read_line,
	.resembles = hosts_resembles,
};
