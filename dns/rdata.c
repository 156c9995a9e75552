#include "dns/rdata.h"

/* Layouts: n a name; a digit that many bytes; s a character-string (RFC 1035 3.3); * all the rest,
 * even nothing. A layout without * must end exactly where the RDATA ends. */
static const char *const layouts[] = {
	[DNS_RDATA_OPAQUE] = "*",
	[DNS_RDATA_V4] = "4",
	[DNS_RDATA_V6] = "88", /* RFC 3596 2.2 */
	[DNS_RDATA_NAME] = "n",
	[DNS_RDATA_NAME_NAME] = "nn",
	[DNS_RDATA_U16_NAME] = "2n",
	[DNS_RDATA_U16_NAME_NAME] = "2nn",
	[DNS_RDATA_SOA] = "nn44444", /* RFC 1035 3.3.13: five numbers */
	[DNS_RDATA_SRV] = "6n",      /* RFC 2782 */
	[DNS_RDATA_SIG] = "99n*",    /* RFC 2535 4.1: 18 bytes, signer, signature */
	[DNS_RDATA_NAPTR] = "4sssn", /* RFC 3403 4.1 */
	[DNS_RDATA_NAME_REST] = "n*",
	[DNS_RDATA_U16_NAME_REST] = "2n*", /* RFC 9460 2.2 */
};

void dns_rdata_walk_begin(struct dns_rdata_walk *walk, struct slice message, uint16_t type,
	size_t rdata_at, size_t rdata_len)
{
	/* The reader ends with the RDATA: a part that runs over it fails by itself. Pointers go
	 * backwards, so what they point at is inside as well. */
	walk->message = reader_of(slice_of(message.at, rdata_at + rdata_len));
	reader_seek(&walk->message, rdata_at);
	walk->layout = layouts[dns_rdata_kind(type)];
}

static void read_part(struct dns_rdata_walk *walk, char kind, struct dns_rdata_part *part)
{
	struct reader *message = &walk->message;
	part->is_name = kind == 'n';
	if (kind == 'n') {
		dns_name_read(message, &part->name);
		return;
	}
	size_t len = (size_t)(kind - '0');
	if (kind == '*')
		len = reader_left(message);
	else if (kind == 's' && reader_left(message) > 0)
		len = (size_t)*message->at + 1;
	part->bytes = reader_bytes(message, len);
}

bool dns_rdata_next(struct dns_rdata_walk *walk, struct dns_rdata_part *part)
{
	if (walk->message.failed)
		return false;
	if (*walk->layout == '\0') {
		if (reader_left(&walk->message) > 0)
			walk->message.failed = true;
		return false;
	}
	read_part(walk, *walk->layout++, part);
	return !walk->message.failed;
}
