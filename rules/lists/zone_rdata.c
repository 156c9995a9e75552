#include "rules/lists/zone_rdata.h"

#include "base/address.h"
#include "dns/rdata.h"

struct words {
	const struct zone_word *at;
	size_t left;
	const struct dns_name *origin;
};

/* Unquoted: names, numbers and addresses have no quotes. */
static bool take_bare(struct words *words, struct slice *text)
{
	if (words->left == 0 || words->at->is_quoted)
		return false;
	*text = words->at->text;
	words->at++;
	words->left--;
	return true;
}

/* --- one part each --- */

static bool take_address(struct words *words, char text[ADDRESS_TEXT_MAX], struct address *address)
{
	struct slice word;
	if (!take_bare(words, &word) || word.len >= ADDRESS_TEXT_MAX)
		return false;
	if (memchr(word.at, '\0', word.len))
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	return address_parse(address, text);
}

static bool read_v4(struct writer *to, struct words *words)
{
	char text[ADDRESS_TEXT_MAX];
	struct address address;
	if (!take_address(words, text, &address) || strchr(text, ':'))
		return false;
	writer_bytes(to, address.bytes + 12, 4);
	return true;
}

static bool read_v6(struct writer *to, struct words *words)
{
	char text[ADDRESS_TEXT_MAX];
	struct address address;
	if (!take_address(words, text, &address) || !strchr(text, ':'))
		return false;
	writer_bytes(to, address.bytes, sizeof address.bytes);
	return true;
}

static bool read_name(struct writer *to, struct words *words)
{
	struct slice text;
	struct dns_name name;
	if (!take_bare(words, &text) || !zone_name_read(&name, text, words->origin))
		return false;
	writer_slice_bytes(to, dns_name_slice(&name));
	return true;
}

static bool take_number(struct words *words, uint64_t most, uint64_t *number)
{
	struct slice text;
	*number = 0;
	if (!take_bare(words, &text) || text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*number = *number * 10 + (text.at[i] - '0');
	}
	return *number <= most;
}

static bool read_u8(struct writer *to, struct words *words)
{
	uint64_t number;
	if (!take_number(words, UINT8_MAX, &number))
		return false;
	writer_u8(to, (uint8_t)number);
	return true;
}

static bool read_u16(struct writer *to, struct words *words)
{
	uint64_t number;
	if (!take_number(words, UINT16_MAX, &number))
		return false;
	writer_u16(to, (uint16_t)number);
	return true;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* One byte of a string, escapes undone. */
static uint8_t take_byte(struct reader *from)
{
	uint8_t byte = reader_u8(from);
	if (byte != '\\')
		return byte;
	byte = reader_u8(from);
	if (!is_digit(byte))
		return byte;
	uint8_t tens = reader_u8(from);
	uint8_t ones = reader_u8(from);
	unsigned value = (byte - '0') * 100u + (tens - '0') * 10u + (ones - '0');
	if (!is_digit(tens) || !is_digit(ones) || value > UINT8_MAX)
		from->failed = true;
	return (uint8_t)value;
}

/* The bytes of a word, quoted or not. */
static bool take_bytes(struct writer *to, struct words *words)
{
	if (words->left == 0)
		return false;
	struct reader from = reader_of(words->at->text);
	words->at++;
	words->left--;
	while (reader_left(&from) > 0)
		writer_u8(to, take_byte(&from));
	return !from.failed;
}

/* RFC 1035 3.3: a length and at most 255 bytes. */
static bool read_string(struct writer *to, struct words *words)
{
	size_t length_at = to->len;
	writer_u8(to, 0);
	if (!take_bytes(to, words) || to->failed || to->len - length_at - 1 > UINT8_MAX)
		return false;
	to->at[length_at] = (uint8_t)(to->len - length_at - 1);
	return true;
}

static bool read_strings(struct writer *to, struct words *words)
{
	do {
		if (!read_string(to, words))
			return false;
	} while (words->left > 0);
	return true;
}

static int hex_value(uint8_t digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit ? strchr(digits, dns_lower(digit)) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* To the end; blanks may stand between any two digits. */
static bool read_hex(struct writer *to, struct words *words)
{
	struct slice text;
	size_t digits = 0;
	int high = 0;
	while (take_bare(words, &text)) {
		for (size_t i = 0; i < text.len; i++) {
			int value = hex_value(text.at[i]);
			if (value < 0)
				return false;
			if (digits++ % 2)
				writer_u8(to, (uint8_t)(high << 4 | value));
			high = value;
		}
	}
	return words->left == 0 && digits % 2 == 0;
}

static const struct {
	char letter;
	bool (*read)(struct writer *to, struct words *words);
} parts[] = {
	{ '4', read_v4 },
	{ '6', read_v6 },
	{ 'n', read_name },
	{ 'b', read_u8 },
	{ 'w', read_u16 },
	{ 's', read_string },
	{ 'S', read_strings },
	{ 'r', take_bytes }, /* without a length: it goes to the end */
	{ 'x', read_hex },
};

/* --- types --- */

static const struct {
	uint16_t type;
	const char *layout;
} layouts[] = {
	{ DNS_TYPE_A, "4" }, { DNS_TYPE_AAAA, "6" }, { DNS_TYPE_CNAME, "n" }, { DNS_TYPE_TXT, "S" },
	{ DNS_TYPE_MX, "wn" }, { DNS_TYPE_NS, "n" }, { DNS_TYPE_PTR, "n" },
	{ DNS_TYPE_SRV, "wwwn" }, { DNS_TYPE_NAPTR, "wwsssn" },
	{ DNS_TYPE_HTTPS, "wn" },                         /* without parameters */
	{ DNS_TYPE_SVCB, "wn" }, { DNS_TYPE_CAA, "bsr" }, /* RFC 8659 4.1 */
	{ DNS_TYPE_SPF, "S" }, { DNS_TYPE_HINFO, "ss" }, { DNS_TYPE_RP, "nn" },
	{ DNS_TYPE_AFSDB, "wn" }, { DNS_TYPE_KX, "wn" }, { DNS_TYPE_URI, "wwr" }, /* RFC 7553 4.5 */
	{ DNS_TYPE_TLSA, "bbbx" },                                                /* RFC 6698 2.2 */
	{ DNS_TYPE_SMIMEA, "bbbx" }, { DNS_TYPE_SSHFP, "bbx" },                   /* RFC 4255 3.2 */
};

static const char *layout_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (layouts[i].type == type)
			return layouts[i].layout;
	return NULL;
}

static bool read_part(struct writer *to, struct words *words, char letter)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i].letter == letter)
			return parts[i].read(to, words);
	return false;
}

/* RFC 6895 3.1: 0 and 128 to 255 are no data, and neither is OPT. */
static bool is_data(uint16_t type)
{
	static const uint16_t ours_never[] = { 0, DNS_TYPE_SOA, DNS_TYPE_SIG, DNS_TYPE_KEY,
		DNS_TYPE_NXT, DNS_TYPE_DNAME, DNS_TYPE_OPT, DNS_TYPE_DS, DNS_TYPE_RRSIG,
		DNS_TYPE_NSEC, DNS_TYPE_DNSKEY, DNS_TYPE_NSEC3, DNS_TYPE_NSEC3PARAM, DNS_TYPE_CDS,
		DNS_TYPE_CDNSKEY, DNS_TYPE_ZONEMD };
	for (size_t i = 0; i < sizeof ours_never / sizeof *ours_never; i++)
		if (ours_never[i] == type)
			return false;
	return type < 128 || type > 255;
}

/* RFC 3597 5: "\# LENGTH HEX". */
static bool is_generic(const struct words *words)
{
	return words->left >= 2 && !words->at->is_quoted &&
		slice_equals_text(words->at->text, "\\#");
}

/* Bytes that somebody wrote by hand follow the layout of their type, without pointers: taken apart
 * and put together again they are the same. */
static bool follows_its_type(uint16_t type, struct slice rdata)
{
	uint8_t bytes[FACET_RECORDS_MAX];
	struct writer again = writer_of(bytes, sizeof bytes);
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	dns_rdata_walk_begin(&walk, rdata, type, 0, rdata.len);
	while (dns_rdata_next(&walk, &part))
		writer_slice_bytes(&again, part.is_name ? dns_name_slice(&part.name) : part.bytes);
	return !walk.message.failed && !again.failed && slice_equals(writer_slice(&again), rdata);
}

static bool read_generic(struct writer *to, uint16_t type, struct words *words)
{
	uint64_t len;
	size_t start = to->len;
	words->at++;
	words->left--;
	return take_number(words, UINT16_MAX, &len) && read_hex(to, words) && !to->failed &&
		to->len - start == len &&
		follows_its_type(type, slice_of(to->at + start, to->len - start));
}

bool zone_rdata_read(struct writer *to, uint16_t type, const struct zone_word *words, size_t count,
	const struct dns_name *origin)
{
	struct words from = { .at = words, .left = count, .origin = origin };
	const char *layout = layout_of(type);
	if (!is_data(type))
		return false;
	if (is_generic(&from))
		return read_generic(to, type, &from);
	for (; layout && *layout; layout++)
		if (!read_part(to, &from, *layout))
			return false;
	return layout && from.left == 0 && !to->failed;
}
