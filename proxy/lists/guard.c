#include "proxy/lists/guard.h"

#include "dns/types.h"

#include <strings.h>

/* --- what the bytes are --- */

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct slice skip_blanks(struct slice text)
{
	while (text.len && is_blank(text.at[0]))
		text = slice_of(text.at + 1, text.len - 1);
	return text;
}

/* "Text/HTML ; charset=utf-8" -> "Text/HTML". */
static struct slice media_type(struct slice content_type)
{
	struct slice type = skip_blanks(content_type);
	const uint8_t *semicolon = type.len ? memchr(type.at, ';', type.len) : NULL;
	if (semicolon)
		type.len = (size_t)(semicolon - type.at);
	while (type.len && is_blank(type.at[type.len - 1]))
		type.len--;
	return type;
}

static bool equals_folded(const uint8_t *at, const char *text, size_t len)
{
	return strncasecmp((const char *)at, text, len) == 0;
}

/* Servers call lists many things, so what is refused is listed, not what is taken. "image/" is all
 * that begins so, "+json" all that ends so. */
static bool is_foreign_type(struct slice type)
{
	static const char *const types[] = { "text/html", "text/xml", "text/json", "text/css",
		"text/javascript", "application/xml", "application/json", "application/javascript",
		"application/pdf", "application/zip", "application/x-tar",
		"application/x-executable", "image/", "audio/", "video/", "font/", "multipart/",
		"+json", "+xml" };
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		size_t len = strlen(types[i]);
		bool is_prefix = types[i][len - 1] == '/';
		bool is_suffix = types[i][0] == '+';
		if (type.len < len || (type.len > len && !is_prefix && !is_suffix))
			continue;
		if (equals_folded(type.at + (is_suffix ? type.len - len : 0), types[i], len))
			return true;
	}
	return false;
}

/* First bytes that no list has. Those that could be letters of a name count only where a NUL
 * follows soon. */
static bool is_binary(struct slice text)
{
	enum { NEAR = 64 };
	static const struct {
		size_t at;
		const char *bytes;
		size_t len;
		bool with_nul;
	} kinds[] = {
#define BYTES(text) (text), sizeof(text) - 1
		{ 0, BYTES("%PDF-"), false }, { 0, BYTES("%!PS"), false },
		{ 0,
			BYTES("\x7f"
			      "ELF"),
			false },
		{ 0, BYTES("\x89PNG"), false }, { 0, BYTES("\xff\xd8\xff"), false },
		{ 0, BYTES("GIF8"), true }, { 0, BYTES("RIFF"), true }, { 0, BYTES("MZ"), true },
		{ 0, BYTES("BM"), true }, { 0, BYTES("\0\0\1\0"), false }, /* icon */
		{ 0, BYTES("\xca\xfe\xba\xbe"), false }, { 0, BYTES("SQLite format 3"), true },
		{ 0, BYTES("PK\3\4"), false }, { 0, BYTES("Rar!\x1a"), false },
		{ 0, BYTES("7z\xbc\xaf"), false },
		{ 0,
			BYTES("\xfd"
			      "7zXZ"),
			false },
		{ 0, BYTES("BZh91AY&SY"), false },
		{ 0, BYTES("\x1f\x8b"), false },         /* gzip in what was unpacked */
		{ 0, BYTES("\x28\xb5\x2f\xfd"), false }, /* zstd, the same */
		{ 0, BYTES("\xff\xfe"), false },         /* UTF-16 */
		{ 0, BYTES("\xfe\xff"), false }, { 257, BYTES("ustar"), false }, /* tar */
#undef BYTES
	};
	bool has_nul = text.len && memchr(text.at, 0, text.len < NEAR ? text.len : NEAR);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (text.len >= kinds[i].at + kinds[i].len && (has_nul || !kinds[i].with_nul) &&
			memcmp(text.at + kinds[i].at, kinds[i].bytes, kinds[i].len) == 0)
			return true;
	return false;
}

/* Markup and JSON. "[Adblock Plus 2.0]" is the head of a list. */
static bool is_document(struct slice text)
{
	text = skip_blanks(text);
	if (text.len == 0)
		return false;
	if (text.at[0] == '<' || text.at[0] == '{')
		return true;
	if (text.at[0] != '[')
		return false;
	text = skip_blanks(slice_of(text.at + 1, text.len - 1));
	return text.len && memchr("{[\"]-0123456789", text.at[0], 15);
}

enum list_fault guard_sniff(struct slice text, struct slice content_type)
{
	if (is_foreign_type(media_type(content_type)) || is_binary(text))
		return LIST_FAULT_NOT_A_LIST;
	if (text.len >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
		text = slice_of(text.at + 3, text.len - 3);
	return is_document(text) ? LIST_FAULT_NOT_A_LIST : LIST_FAULT_NONE;
}

/* --- what is in it --- */

struct judging {
	const struct list_guards *guards;
	const struct image *edition;
	uint16_t index;
	const struct image_list *list;
	const struct image_list *before;
	struct writer *why;
};

/* Is `part` more than so many percent of `whole`? */
static bool is_over(uint64_t part, uint64_t whole, unsigned percent)
{
	uint64_t limit;
	if (__builtin_mul_overflow(whole / 100, percent, &limit) ||
		__builtin_add_overflow(limit, whole % 100 * percent / 100, &limit))
		return false;
	return part > limit;
}

/* "400 entries after 1000, it may lose at most 50%": texts around numbers. */
static void tell(struct writer *why, const char *const texts[4], const uint64_t numbers[3])
{
	for (unsigned i = 0; i < 4; i++) {
		writer_text(why, texts[i]);
		if (i < 3 && texts[i + 1])
			writer_decimal(why, numbers[i]);
		else
			return;
	}
}
#define TELL(judging, a, x, b, y, c, z, d)                                                         \
	tell((judging)->why, (const char *const[]){ a, b, c, d }, (const uint64_t[]){ x, y, z })

static uint64_t all_rejects(const struct image_list *list)
{
	uint64_t count = 0;
	for (unsigned i = LIST_REJECT_NONE + 1; i < LIST_REJECT_COUNT; i++)
		count += list->reject_counts[i];
	return count;
}

/* Without what is only not for us. */
static uint64_t wrong_lines(const struct image_list *list)
{
	const uint64_t *counts = list->reject_counts;
	return all_rejects(list) - counts[LIST_REJECT_ADDRESS] - counts[LIST_REJECT_DUPLICATE] -
		counts[LIST_REJECT_NOT_DNS] - counts[LIST_REJECT_TRIGGER];
}

static enum list_fault judge_emptiness(const struct judging *judging)
{
	uint64_t rejects = all_rejects(judging->list);
	if (judging->list->entry_count > 0)
		return LIST_FAULT_NONE;
	if (rejects == 0 && judging->guards->max_shrink_percent == 0)
		return LIST_FAULT_NONE;
	TELL(judging, "not one entry; ", rejects, " lines were left out", 0, NULL, 0, NULL);
	return LIST_FAULT_EMPTY;
}

static enum list_fault judge_rejects(const struct judging *judging)
{
	const struct image_list *list = judging->list;
	unsigned percent = judging->guards->max_rejected_percent;
	uint64_t wrong = wrong_lines(list);
	uint64_t lines = list->entry_count + list->covered_count + all_rejects(list);
	if (!percent || !is_over(wrong, lines, percent))
		return LIST_FAULT_NONE;
	TELL(judging, "", wrong, " of ", lines, " lines are wrong, at most ", percent, "% may be");
	return LIST_FAULT_REJECTS;
}

static enum list_fault judge_count(const struct judging *judging)
{
	uint64_t count = judging->list->entry_count, least = judging->guards->min_entries;
	if (count >= least)
		return LIST_FAULT_NONE;
	TELL(judging, "", count, " entries, at least ", least, " are asked for", 0, NULL);
	return LIST_FAULT_TOO_FEW;
}

static enum list_fault judge_shrinking(const struct judging *judging)
{
	unsigned percent = judging->guards->max_shrink_percent;
	uint64_t now = judging->list->entry_count;
	uint64_t before = judging->before ? judging->before->entry_count : 0;
	if (!percent || now >= before || !is_over(before - now, before, percent))
		return LIST_FAULT_NONE;
	TELL(judging, "", now, " entries after ", before, ", it may lose at most ", percent, "%");
	return LIST_FAULT_SHRUNK;
}

/* From nothing to something is no growth: there is nothing to measure it by. */
static enum list_fault judge_growth(const struct judging *judging)
{
	unsigned percent = judging->guards->max_growth_percent;
	uint64_t now = judging->list->entry_count;
	uint64_t before = judging->before ? judging->before->entry_count : 0;
	if (!percent || !before || now <= before || !is_over(now - before, before, percent))
		return LIST_FAULT_NONE;
	TELL(judging, "", now, " entries after ", before, ", it may gain at most ", percent, "%");
	return LIST_FAULT_GROWN;
}

/* The entry of the list by which it matches the name; false when it does not. */
static bool find_entry(const struct judging *judging, const struct dns_name *name, uint16_t type,
	struct list_entry *entry)
{
	struct image_matches matches;
	if (!image_find(judging->edition, dns_name_slice(name), type, &matches) ||
		!image_matches_have(&matches, judging->index))
		return false;
	*entry = matches.entries[judging->index];
	return image_facet(judging->edition, entry->facet)->effect == FACET_LISTED;
}

static enum list_fault judge_missing(const struct judging *judging)
{
	const struct list_guards *guards = judging->guards;
	struct list_entry entry;
	for (size_t i = 0; i < guards->must_contain_count; i++) {
		if (find_entry(judging, &guards->must_contain[i], DNS_TYPE_A, &entry))
			continue;
		writer_text(judging->why, "it does not match ");
		dns_name_write_text(judging->why, dns_name_slice(&guards->must_contain[i]));
		return LIST_FAULT_CANARY_MISSING;
	}
	return LIST_FAULT_NONE;
}

static void tell_hit(
	struct writer *why, const struct dns_name *name, const struct list_entry *entry)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(dns_name_slice(name), offsets);
	size_t at = name->len - 1u;
	if (entry->labels > 0 && entry->labels <= count)
		at = offsets[count - entry->labels];
	writer_text(why, "it matches ");
	dns_name_write_text(why, dns_name_slice(name));
	writer_text(why, ", by its entry ");
	list_pattern_write_text(
		why, slice_of(name->wire + at, name->len - at), (enum pattern_kind)entry->kind);
}

/* An entry for one type alone would do harm as well. */
static enum list_fault judge_hits(const struct judging *judging)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_HTTPS, DNS_TYPE_MX,
		DNS_TYPE_TXT, DNS_TYPE_SRV, DNS_TYPE_NS, DNS_TYPE_CNAME };
	const struct list_guards *guards = judging->guards;
	struct list_entry entry;
	for (size_t i = 0; i < guards->must_not_contain_count; i++) {
		for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
			if (!find_entry(judging, &guards->must_not_contain[i], types[k], &entry))
				continue;
			tell_hit(judging->why, &guards->must_not_contain[i], &entry);
			return LIST_FAULT_CANARY_HIT;
		}
	}
	return LIST_FAULT_NONE;
}

enum list_fault guard_judge(const struct list_guards *guards, const struct image *edition,
	uint16_t list, const struct image_list *before, struct writer *why)
{
	/* The first that speaks is told: what says most about the file comes first. */
	static enum list_fault (*const judges[])(const struct judging *judging) = {
		judge_emptiness,
		judge_rejects,
		judge_count,
		judge_shrinking,
		judge_growth,
		judge_missing,
		judge_hits,
	};
	const struct judging judging = {
		.guards = guards,
		.edition = edition,
		.index = list,
		.list = image_list(edition, list),
		.before = before,
		.why = why,
	};
	enum list_fault fault = LIST_FAULT_NONE;
	for (size_t i = 0; !fault && i < sizeof judges / sizeof judges[0]; i++)
		fault = judges[i](&judging);
	return fault;
}
