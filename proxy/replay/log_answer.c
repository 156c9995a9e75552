/* From the text of an answer back to a message that can be judged. */
#include "dns/types.h"
#include "proxy/replay/log_line.h"
#include "rules/lists/zone_rdata.h"

enum { RDATA_TEXT_MAX = 8192 /* twice what the log writes of a record */ };

struct building {
	struct writer to;
	const struct log_line *line;
	struct dns_name owner; /* where the chain of CNAMEs stands */
	uint16_t count;
	unsigned left_out;
	bool has_matched; /* the name or the address that decided is among the records */
};

static struct slice plain_rdata(const struct log_answer *answer, uint8_t buffer[RDATA_TEXT_MAX])
{
	return log_line_plain(answer->rdata, buffer, RDATA_TEXT_MAX);
}

static void add_record(
	struct building *building, struct slice owner, uint16_t type, struct slice rdata)
{
	struct writer *to = &building->to;
	struct writer before = *to;
	writer_slice_bytes(to, owner);
	writer_u16(to, type);
	writer_u16(to, DNS_CLASS_IN);
	writer_u32(to, 0);
	writer_u16(to, (uint16_t)rdata.len);
	writer_slice_bytes(to, rdata);
	if (!to->failed) {
		building->count++;
		return;
	}
	*to = before;
	building->left_out++;
}

/* ---- names ---- */

static bool read_target(const struct log_answer *answer, struct dns_name *target)
{
	uint8_t text[RDATA_TEXT_MAX];
	return dns_name_from_text(target, plain_rdata(answer, text));
}

/* The log has no owners. That of a DNAME follows from the CNAME that stands behind it: what the
 * DNAME's target became below is what the owner was (RFC 6672 2.2). */
static struct slice owner_of_dname(
	const struct building *building, unsigned index, const struct dns_name *target)
{
	const struct log_line *line = building->line;
	struct slice owner = dns_name_slice(&building->owner);
	struct dns_name made;
	if (index + 1 == line->answer_count || line->answers[index + 1].type != DNS_TYPE_CNAME ||
		!read_target(&line->answers[index + 1], &made) ||
		!dns_name_is_under(dns_name_slice(&made), dns_name_slice(target)))
		return owner;
	size_t prefix_len = (size_t)made.len - target->len;
	if (prefix_len + 1 > owner.len || memcmp(made.wire, owner.at, prefix_len) != 0)
		return owner;
	return slice_of(owner.at + prefix_len, owner.len - prefix_len);
}

static bool add_alias(struct building *building, unsigned index)
{
	const struct log_answer *answer = &building->line->answers[index];
	struct dns_name target;
	if (!read_target(answer, &target))
		return false;
	if (answer->type == DNS_TYPE_DNAME) {
		add_record(building, owner_of_dname(building, index, &target), DNS_TYPE_DNAME,
			dns_name_slice(&target));
		return true;
	}
	add_record(building, dns_name_slice(&building->owner), DNS_TYPE_CNAME,
		dns_name_slice(&target));
	building->owner = target;
	return true;
}

/* ---- addresses ---- */

static bool read_address(struct slice text, struct address *address)
{
	char plain[ADDRESS_TEXT_MAX];
	if (text.len == 0 || text.len >= sizeof plain || memchr(text.at, '\0', text.len))
		return false;
	memcpy(plain, text.at, text.len);
	plain[text.len] = '\0';
	return address_parse(address, plain);
}

static void add_address_of(
	struct building *building, struct slice owner, const struct address *address, uint16_t type)
{
	if (type == DNS_TYPE_A)
		add_record(building, owner, type, slice_of(address->bytes + 12, 4));
	else
		add_record(building, owner, type, slice_of(address->bytes, 16));
}

static bool add_address(struct building *building, unsigned index)
{
	const struct log_answer *answer = &building->line->answers[index];
	uint8_t text[RDATA_TEXT_MAX];
	struct address address;
	if (!read_address(plain_rdata(answer, text), &address) ||
		(answer->type == DNS_TYPE_A && !address_is_v4(&address)))
		return false;
	add_address_of(building, dns_name_slice(&building->owner), &address, answer->type);
	return true;
}

/* ---- SVCB and HTTPS ---- */

enum { WORDS_MAX = 16, HINTS_MAX = 32 };

static size_t split(struct slice text, struct zone_word words[WORDS_MAX])
{
	size_t count = 0;
	for (size_t at = 0; at < text.len && count < WORDS_MAX;) {
		size_t start = at;
		while (at < text.len && text.at[at] != ' ')
			at++;
		if (at > start)
			words[count++] =
				(struct zone_word){ .text = slice_of(text.at + start, at - start) };
		at++;
	}
	return count;
}

static bool starts_with(struct slice text, struct slice with)
{
	return text.len >= with.len && memcmp(text.at, with.at, with.len) == 0;
}

/* One parameter that has addresses (RFC 9460 7.3): "ipv4hint=192.0.2.1,192.0.2.2". */
static void write_hints(struct writer *to, struct slice list, uint16_t key, size_t len)
{
	size_t start = to->len;
	writer_u16(to, key);
	writer_u16(to, 0);
	for (size_t at = 0, count = 0; at < list.len && count < HINTS_MAX; count++) {
		const uint8_t *comma = memchr(list.at + at, ',', list.len - at);
		size_t end = comma ? (size_t)(comma - list.at) : list.len;
		struct address address;
		if (read_address(slice_of(list.at + at, end - at), &address))
			writer_bytes(to, address.bytes + 16 - len, len);
		at = end + 1;
	}
	if (!to->failed)
		writer_patch_u16(to, start + 2, (uint16_t)(to->len - start - 4));
}

/* As others write it: "1 svc.example. alpn=h2 ipv4hint=192.0.2.1". Only what is judged is taken. */
static bool read_service(
	struct writer *to, uint16_t type, const struct zone_word *words, size_t count)
{
	static const struct {
		const char *name;
		uint16_t key;
		size_t len;
	} hints[] = { { "ipv4hint=", 4, 4 }, { "ipv6hint=", 6, 16 } };
	static const struct dns_name root = { .len = 1 };
	if (!zone_rdata_read(to, type, words, count < 2 ? count : 2, &root))
		return false;
	for (size_t hint = 0; hint < sizeof hints / sizeof *hints; hint++) {
		struct slice name = slice_of_text(hints[hint].name);
		for (size_t i = 2; i < count; i++)
			if (starts_with(words[i].text, name)) {
				write_hints(to,
					slice_of(words[i].text.at + name.len,
						words[i].text.len - name.len),
					hints[hint].key, hints[hint].len);
				break;
			}
	}
	return !to->failed;
}

static bool add_service(struct building *building, unsigned index)
{
	static const struct dns_name root = { .len = 1 };
	const struct log_answer *answer = &building->line->answers[index];
	uint8_t text[RDATA_TEXT_MAX];
	uint8_t bytes[RDATA_TEXT_MAX];
	struct zone_word words[WORDS_MAX];
	struct writer rdata = writer_of(bytes, sizeof bytes);
	size_t count = split(plain_rdata(answer, text), words);
	bool is_generic = count > 0 && slice_equals_text(words[0].text, "\\#");
	if (is_generic ? !zone_rdata_read(&rdata, answer->type, words, count, &root)
		       : !read_service(&rdata, answer->type, words, count))
		return false;
	add_record(building, dns_name_slice(&building->owner), answer->type, writer_slice(&rdata));
	return true;
}

/* ---- all of it ---- */

typedef bool add_fn(struct building *building, unsigned index);

/* Other types are not judged. */
static add_fn *adder_of(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA: return add_address;
	case DNS_TYPE_CNAME:
	case DNS_TYPE_DNAME: return add_alias;
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS: return add_service;
	default: return NULL;
	}
}

static void add_answers(struct building *building)
{
	for (unsigned i = 0; i < building->line->answer_count; i++) {
		add_fn *add = adder_of(building->line->answers[i].type);
		if (add && !add(building, i))
			building->left_out++;
	}
}

static bool has_target(const struct building *building, struct slice name)
{
	struct dns_name target;
	for (unsigned i = 0; i < building->line->answer_count; i++) {
		const struct log_answer *answer = &building->line->answers[i];
		if (answer->type == DNS_TYPE_CNAME && read_target(answer, &target) &&
			dns_name_equals(dns_name_slice(&target), name))
			return true;
	}
	return false;
}

static bool is_rebinding(const struct log_line *line)
{
	return slice_equals_text(line->reason, "rebinding");
}

/* SERVFAIL, because the answer could not be followed to its end, or the lists were not there. */
static bool has_failed(const struct log_line *line)
{
	return line->rcode == DNS_RCODE_SERVFAIL &&
		slice_equals_text(line->reason, "policy_failed");
}

/* Did something of the answer decide? */
static bool is_about_answer(const struct log_line *line)
{
	return has_failed(line) || line->hop > 0 || line->matched_address.len > 0 ||
		is_rebinding(line);
}

/* What decided, where the line has not the records that it stood in: they were blocked, or had no
 * room in a datagram. The way to it is not known, a CNAME at the question is as good. Of an address
 * that was private the line says whose it was; one that is private as well stands for it. For what
 * could not be followed stands what nobody can follow. */
static void add_matched(struct building *building)
{
	static const uint8_t private[4] = { 10, 0, 0, 1 };
	const struct log_line *line = building->line;
	uint8_t text[DNS_NAME_TEXT_MAX];
	struct dns_name name;
	struct address address = address_of_v4(private);
	struct slice question = dns_name_slice(&line->name);
	if (has_failed(line)) {
		add_record(building, question, DNS_TYPE_CNAME, question);
		return;
	}
	if (!dns_name_from_text(&name, log_line_plain(line->matched_name, text, sizeof text)))
		return;
	struct slice owner = dns_name_slice(&name);
	if (!dns_name_equals(owner, question) && !has_target(building, owner))
		add_record(building, question, DNS_TYPE_CNAME, owner);
	if (line->hop > 0)
		return;
	if (is_rebinding(line) || read_address(line->matched_address, &address))
		add_address_of(building, owner, &address,
			address_is_v4(&address) ? DNS_TYPE_A : DNS_TYPE_AAAA);
}

/* Is the reply of the line one that we made up? */
static bool is_ours(const struct log_line *line)
{
	return line->action == ACTION_BLOCK || has_failed(line);
}

struct slice log_line_answer(const struct log_line *line, void *buffer, unsigned *left_out)
{
	static const uint8_t head[12] = { 0, 0, 0x81, 0x80, 0, 1 };
	struct building building = { .to = writer_of(buffer, LOG_LINE_MESSAGE_MAX), .line = line };
	*left_out = 0;
	bool has_answers = line->answer_count > 0 && line->action != ACTION_BLOCK;
	if (!has_answers && !is_about_answer(line))
		return slice_of(NULL, 0);
	writer_bytes(&building.to, head, sizeof head);
	writer_slice_bytes(&building.to, dns_name_slice(&line->name));
	writer_u16(&building.to, line->type);
	writer_u16(&building.to, line->class);
	building.owner = line->name;
	if (has_answers)
		add_answers(&building);
	if (is_about_answer(line))
		add_matched(&building);
	writer_patch_u16(&building.to, 6, building.count);
	*left_out = building.left_out;
	return building.count ? writer_slice(&building.to) : slice_of(NULL, 0);
}

enum log_answer_extent log_line_extent(const struct log_line *line, unsigned left_out)
{
	if (is_ours(line))
		return is_about_answer(line) ? LOG_ANSWER_PART : LOG_ANSWER_UNKNOWN;
	return line->is_truncated || left_out ? LOG_ANSWER_PART : LOG_ANSWER_WHOLE;
}
