/* networks.c - what an answer's addresses may not be: a network or an address a line, as the lists
 * of hijacked networks and of command and control servers have them. Behind ';' or '#' stands a
 * comment (Spamhaus DROP: "192.0.2.0/24 ; SBL1"). A network whose host bits are set is a typing
 * error, and left out. */
#include "rules/lists/format.h"

static struct slice cut_comment(struct slice line)
{
	const uint8_t *semicolon = memchr(line.at, ';', line.len);
	return semicolon ? list_trim(slice_of(line.at, (size_t)(semicolon - line.at))) : line;
}

static bool read_network(struct slice text, struct network *network)
{
	char copy[ADDRESS_TEXT_MAX + sizeof "/128"];
	if (text.len >= sizeof copy || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return network_parse(network, copy);
}

static void networks_read_line(struct list_reading *reading, struct slice line)
{
	static const struct facet listed = { .rank = FACET_RANK_PLAIN };
	struct network network;
	struct slice text = cut_comment(line);
	if (text.len == 0)
		return;
	if (read_network(text, &network))
		list_tell_network(reading, &network, &listed);
	else
		list_tell_reject(reading, LIST_REJECT_SYNTAX, line);
}

/* Never recognised: a file of addresses alone may be half of a hosts file as well. */
const struct list_format_type list_format_networks = {
	.name = "networks",
	.comments = LIST_COMMENTS_ANYWHERE,
	.read_line = networks_read_line,
};
