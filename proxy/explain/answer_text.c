/* answer_text.c - see answer_text.h. What words of a record mean is the business of the readers
 * that policy zones have; here it is only found out what was given. */
#include "proxy/explain/answer_text.h"

#include <stdio.h>

#include "base/hex.h"
#include "proxy/explain/svcb_hints.h"
#include "proxy/watch/escape.h"
#include "rules/lists/zone_rdata.h"

enum { FLAGS = 0x8180 /* QR RD RA */ };

static bool fail(struct answer_text *answer, const char *text, struct slice what)
{
	enum { SHOWN_MAX = 60 };
	struct writer to = writer_of(answer->error, sizeof answer->error - 1);
	writer_text(&to, text);
	if (what.len) {
		writer_text(&to, ": ");
		escape_text(&to, what, SHOWN_MAX);
	}
	answer->error[to.len] = '\0';
	return false;
}

/* ---- records as text ---- */

static bool starts(struct slice line, const char *with)
{
	size_t len = strlen(with);
	return line.len >= len && memcmp(line.at, with, len) == 0;
}

/* What stands between ";; ANSWER SECTION" and the next line of that kind; all, without one. */
static struct slice answer_section(struct slice text)
{
	for (struct slice rest = text; rest.len;) {
		if (!starts(slice_take_line(&rest), ";; ANSWER SECTION"))
			continue;
		struct slice section = slice_of(rest.at, 0);
		while (rest.len) {
			struct slice line = slice_take_line(&rest);
			if (starts(line, ";;"))
				break;
			section.len = (size_t)(line.at + line.len - section.at);
		}
		return section;
	}
	return text;
}

/* A DNAME's text is that of a CNAME; answers of policy zones may not have one. SVCB they know in
 * the generic form alone. */
static bool write_rdata(struct writer *to, const struct zone_entry *entry)
{
	static const struct dns_name root = { .len = 1 };
	size_t len_at = to->len;
	uint16_t type = entry->type == DNS_TYPE_DNAME ? DNS_TYPE_CNAME : entry->type;
	bool is_svcb = (type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS) && entry->rdata_count &&
		!slice_equals_text(entry->rdata[0].text, "\\#");
	writer_u16(to, 0);
	if (is_svcb ? !svcb_hints_read(to, entry->rdata, entry->rdata_count, &root)
		    : !zone_rdata_read(to, type, entry->rdata, entry->rdata_count, &root))
		return false;
	writer_patch_u16(to, len_at, (uint16_t)(to->len - len_at - 2));
	return true;
}

/* False leaves the message as it was. */
static bool write_record(
	struct writer *to, const struct zone_entry *entry, const struct dns_name *owner)
{
	struct writer before = *to;
	writer_slice_bytes(to, dns_name_slice(owner));
	writer_u16(to, entry->type);
	writer_u16(to, DNS_CLASS_IN);
	writer_u32(to, entry->ttl_s);
	if (write_rdata(to, entry) && !to->failed)
		return true;
	*to = before;
	return false;
}

static void write_records(struct answer_text *answer, struct writer *to, struct slice text)
{
	static const struct dns_name root = { .len = 1 };
	struct dns_name owner = { .len = 0 };
	struct zone_text zone;
	struct zone_entry entry;
	zone_text_begin(&zone, text);
	while (zone_text_next(&zone, &entry)) {
		if (entry.owner.len && !zone_name_read(&owner, entry.owner, &root))
			owner.len = 0;
		bool good = entry.fault == LIST_REJECT_NONE && owner.len > 0 &&
			answer->record_count < UINT16_MAX && write_record(to, &entry, &owner);
		if (good)
			answer->record_count++;
		else if (answer->left_out++ == 0)
			fail(answer, "this record is not understood", entry.text);
	}
}

static bool read_records(struct answer_text *answer, struct slice text, struct slice name,
	uint16_t type, struct writer *to)
{
	struct dns_answer opened;
	writer_u16(to, 0);
	writer_u16(to, FLAGS);
	writer_u16(to, 1);
	writer_zeros(to, 6);
	writer_slice_bytes(to, name);
	writer_u16(to, type);
	writer_u16(to, DNS_CLASS_IN);
	if (to->failed)
		return fail(answer, "there is no room for an answer", slice_of(NULL, 0));
	write_records(answer, to, answer_section(text));
	writer_patch_u16(to, 6, (uint16_t)answer->record_count);
	if (answer->record_count == 0)
		return answer->left_out == 0 ? fail(answer, "there is no record in it", text)
					     : false;
	answer->message = writer_slice(to);
	return dns_answer_open(&opened, answer->message) == 0 ||
		fail(answer, "it is more than an answer can be", slice_of(NULL, 0));
}

/* ---- whole messages ---- */

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Digits and blanks, and enough of them for a header. */
static bool read_hex(struct slice text, struct writer *to)
{
	int high = -1;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.at[i]);
		if (digit < 0 && !is_blank(text.at[i]))
			return false;
		if (digit < 0)
			continue;
		if (high >= 0)
			writer_u8(to, (uint8_t)(high << 4 | digit));
		high = high < 0 ? digit : -1;
	}
	return high < 0 && !to->failed && to->len >= DNS_HEADER_LEN;
}

static bool is_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.at[i] < ' ' && !is_blank(text.at[i])) || text.at[i] == 0x7f)
			return false;
	return true;
}

static bool take_message(
	struct answer_text *answer, struct slice message, struct slice name, uint16_t type)
{
	struct dns_answer opened;
	if (dns_answer_open(&opened, message) != 0)
		return fail(answer, "it is not a DNS answer", slice_of(NULL, 0));
	if (!dns_answer_is_for(&opened, name, type, DNS_CLASS_IN))
		return fail(answer, "it answers another question", slice_of(NULL, 0));
	answer->message = message;
	answer->record_count = opened.counts[DNS_SECTION_ANSWER];
	return true;
}

bool answer_text_read(struct answer_text *answer, struct slice text, struct slice name,
	uint16_t type, void *buffer, size_t capacity)
{
	struct writer to = writer_of(buffer, capacity);
	*answer = (struct answer_text){ .record_count = 0 };
	if (is_text(text) && read_hex(text, &to))
		return take_message(answer, writer_slice(&to), name, type);
	to = writer_of(buffer, capacity);
	if (is_text(text))
		return read_records(answer, text, name, type, &to);
	writer_slice_bytes(&to, text);
	if (to.failed)
		return fail(answer, "it is more than an answer can be", slice_of(NULL, 0));
	return take_message(answer, writer_slice(&to), name, type);
}
