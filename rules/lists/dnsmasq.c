/* dnsmasq.c - lines of a dnsmasq.conf that keep names from being asked elsewhere (dnsmasq(8), -A
 * and -S). Each line can have several domains; each is the name and everything below, and of two
 * that cover a name the longer one counts.
 *
 *   address=/example.com/192.0.2.1   these addresses; a type without any is NODATA
 *   address=/example.com/#           0.0.0.0 and ::, and so are 0.0.0.0 or :: alone: lists for old
 *                                    versions have a line for each
 *   address=/example.com/            NXDOMAIN; server= and local= too
 *   server=/example.com/#            asked as usual: an exception
 *
 * As a domain, "#" is every name, "*.example.com" all below without the name itself, and a leading
 * dot is nothing. Since version 2.86 dnsmasq asks elsewhere for types that an address= does not
 * have; lists mean the name, and so it is NODATA here, as it was before. What has no domain, or
 * names a server to ask, or is another setting, is left out (LIST_REJECT_NOT_DNS). */
#include "rules/lists/format.h"
#include "rules/lists/records.h"

static const struct facet nxdomain = { .rank = FACET_RANK_PLAIN, .given = GIVEN_NXDOMAIN };
static const struct facet except = { .rank = FACET_RANK_PLAIN, .effect = FACET_EXCEPT };

static enum list_reject read_domain(
	struct slice text, struct dns_name *name, enum pattern_kind *kind)
{
	*kind = PATTERN_BOTH;
	*name = (struct dns_name){ .len = 1 };
	if (slice_equals_text(text, "#"))
		return LIST_REJECT_NONE;
	if (text.len == 0) /* names without a dot */
		return LIST_REJECT_NOT_DNS;
	if (list_take_prefix(&text, "*."))
		*kind = PATTERN_BELOW;
	else
		while (list_take_prefix(&text, "."))
			;
	enum list_reject reject = list_read_name(text, name);
	return reject == LIST_REJECT_ASTERISK ? LIST_REJECT_NOT_DNS : reject;
}

/* `domains` are separated by slashes. */
static void tell_domains(struct list_reading *reading, struct slice line, struct slice domains,
	const struct facet *facet)
{
	const uint8_t *end = domains.at + domains.len;
	for (const uint8_t *at = domains.at; at <= end;) {
		const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
		struct slice text = slice_of(at, (size_t)((slash ? slash : end) - at));
		struct dns_name name;
		enum pattern_kind kind;
		enum list_reject reject = read_domain(text, &name, &kind);
		if (reject)
			list_tell_reject(reading, reject, text.len ? text : line);
		else
			list_tell_facet(reading, &name, kind, facet);
		at = (slash ? slash : end) + 1;
	}
}

/* What stands behind the last slash, as an answer. */
static enum list_reject read_address(
	struct slice text, struct records *records, struct facet *facet)
{
	*facet = records_null_facet;
	if (slice_equals_text(text, "#") || slice_equals_text(text, "0.0.0.0") ||
		slice_equals_text(text, "::"))
		return LIST_REJECT_NONE;
	*facet = nxdomain;
	if (text.len == 0)
		return LIST_REJECT_NONE;
	records->len = 0;
	if (!records_add_address(records, text, RECORDS_TTL_S))
		return LIST_REJECT_ANSWER;
	*facet = (struct facet){
		.rank = FACET_RANK_PLAIN, .given = GIVEN_RECORDS, .records = records_slice(records)
	};
	return LIST_REJECT_NONE;
}

static enum list_reject read_server(struct slice text, struct records *records, struct facet *facet)
{
	(void)records;
	*facet = text.len ? except : nxdomain;
	return text.len == 0 || slice_equals_text(text, "#") ? LIST_REJECT_NONE
							     : LIST_REJECT_NOT_DNS;
}

static const struct option {
	const char *name;
	enum list_reject (*read)(struct slice text, struct records *records, struct facet *facet);
} options[] = {
	{ "address", read_address },
	{ "server", read_server },
	{ "local", read_server },
};

static enum list_reject read_option(struct list_reading *reading, const struct option *option,
	struct slice line, struct slice value)
{
	struct records records;
	struct facet facet;
	if (value.len == 0 ||
		value.at[0] != '/') /* a server for every name, or an address for none */
		return LIST_REJECT_NOT_DNS;
	const uint8_t *last = memrchr(value.at, '/', value.len);
	if (last == value.at)
		return LIST_REJECT_SYNTAX;
	struct slice domains = slice_of(value.at + 1, (size_t)(last - value.at - 1));
	struct slice target = slice_of(last + 1, value.len - domains.len - 2);
	enum list_reject reject = option->read(target, &records, &facet);
	if (!reject)
		tell_domains(reading, line, domains, &facet);
	return reject;
}

/* "word=..." or "word", as settings are written. */
static bool is_setting(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] != '-' && (name.at[i] < 'a' || name.at[i] > 'z'))
			return false;
	return name.len > 0;
}

static enum list_reject read_setting(struct list_reading *reading, struct slice line)
{
	const uint8_t *equals = memchr(line.at, '=', line.len);
	size_t name_len = equals ? (size_t)(equals - line.at) : line.len;
	struct slice name = list_trim(slice_of(line.at, name_len));
	for (size_t i = 0; equals && i < sizeof options / sizeof *options; i++) {
		struct slice value = slice_of(equals + 1, line.len - name_len - 1);
		if (slice_equals_text(name, options[i].name))
			return read_option(reading, &options[i], line, list_trim(value));
	}
	return is_setting(name) ? LIST_REJECT_NOT_DNS : LIST_REJECT_SYNTAX;
}

static void dnsmasq_read_line(struct list_reading *reading, struct slice line)
{
	enum list_reject reject = read_setting(reading, line);
	if (reject)
		list_tell_reject(reading, reject, line);
}

static enum list_likeness dnsmasq_resembles(struct slice line)
{
	static const char *const starts[] = { "address=/", "server=/", "local=/" };
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (list_take_prefix(&line, starts[i]))
			return LIST_SURE;
	const uint8_t *equals = memchr(line.at, '=', line.len);
	size_t len = equals ? (size_t)(equals - line.at) : line.len;
	return is_setting(slice_of(line.at, len)) ? LIST_POSSIBLE : LIST_FOREIGN;
}

const struct list_format_type list_format_dnsmasq = {
	.name = "dnsmasq",
	.read_line = dnsmasq_read_line,
	.resembles = dnsmasq_resembles,
};
