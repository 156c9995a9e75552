#include "proxy/config/value.h"

#include "base/utc.h"
#include "dns/types.h"
#include "proxy/config/domain.h"
#include "proxy/config/problem.h"
#include "proxy/config/url.h"
#include "tls/digest.h"
#include "tls/minisign.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef bool (*read_fn)(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to);

void *value_take(struct value_reader *reader, struct arena *from, size_t count, size_t size)
{
	void *taken = arena_take(from, count, size);
	if (!taken)
		reader->no_memory = true;
	return taken;
}

/* Tells of a value that is of another kind than wanted, and shows how to write it. */
static bool wrong_kind(
	struct value_reader *reader, const struct setting *setting, const char *wanted)
{
	char found[80];
	if (setting->kind == SETTING_INTEGER)
		snprintf(found, sizeof found, "the number %lld", (long long)setting->integer);
	else if (setting->kind == SETTING_BOOL)
		snprintf(found, sizeof found, "%s", setting->integer ? "true" : "false");
	else
		snprintf(found, sizeof found, "%s", setting_kind_text(setting->kind));
	if (setting->kind == SETTING_TEXT)
		problem_in(reader->errors, setting, "expected %s, found %s", wanted,
			QUOTED(setting->text));
	else
		problem_in(reader->errors, setting, "expected %s, found %s", wanted, found);
	return false;
}

static bool check_length(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, const char *text)
{
	size_t len = strlen(text);
	if (len == 0 && key->least > 0) {
		problem_in(reader->errors, setting, "must not be empty");
		return false;
	}
	if (len > (size_t)key->most) {
		problem_in(reader->errors, setting, "%s is too long: %zu bytes, at most %lld",
			QUOTED(text), len, (long long)key->most);
		return false;
	}
	return true;
}

static bool store_text(struct value_reader *reader, const char *text, void *to)
{
	const char **field = to;
	*field = arena_text(reader->memory, text);
	reader->no_memory |= !*field;
	return true;
}

static bool read_text(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a text in quotation marks");
	return check_length(reader, key, setting, setting->text) &&
		store_text(reader, setting->text, to);
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("-_.: ", c));
}

/* Names stand in logs and metric labels: nothing in them may need an escape. */
static bool read_name(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a name in quotation marks");
	if (!check_length(reader, key, setting, setting->text))
		return false;
	size_t len = strlen(setting->text);
	for (const char *c = setting->text; *c; c++) {
		bool outer_blank = *c == ' ' && (c == setting->text || c[1] == '\0');
		if (is_name_byte(*c) && !outer_blank)
			continue;
		problem_in(reader->errors, setting,
			"%s cannot be a name: letters, digits, \"-\", \"_\", \".\", \":\" and "
			"blanks between them can",
			word_quote(&(struct quoted_word){ .text = "" }, setting->text, len));
		return false;
	}
	return store_text(reader, setting->text, to);
}

static bool read_file(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	char path[8192];
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a file path in quotation marks");
	const char *text = setting->text;
	if (!check_length(reader, key, setting, text))
		return false;
	bool is_stdout = strcmp(text, "-") == 0 && strcmp(key->path, "query_log.file") == 0;
	bool is_relative =
		text[0] && text[0] != '/' && !is_stdout && strcmp(reader->directory, ".") != 0;
	int len = snprintf(path, sizeof path, "%s%s%s", is_relative ? reader->directory : "",
		is_relative ? "/" : "", text);
	if (len > key->most || (size_t)len >= sizeof path) {
		problem_in(reader->errors, setting,
			"the path is too long with the configuration's directory in front of it: "
			"%d bytes, at most %lld",
			len, (long long)key->most);
		return false;
	}
	return store_text(reader, path, to);
}

static bool read_url_path(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a URL path such as \"/dns-query\"");
	const char *text = setting->text;
	if (!check_length(reader, key, setting, text))
		return false;
	bool fine = text[0] == '/';
	for (const char *c = text; *c && fine; c++)
		fine = *c > ' ' && *c < 0x7f && !strchr("?#%\"<>\\^`{|}", *c);
	if (!fine) {
		problem_in(reader->errors, setting,
			"%s is not a URL path: "
			"it begins with \"/\" and has no query, escape or blank",
			QUOTED(text));
		return false;
	}
	return store_text(reader, text, to);
}

/* Told without its text: see url.h. */
static bool read_url(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct url url;
	struct domain_fault fault;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(
			reader, setting, "a URL such as \"https://lists.example/hosts.txt\"");
	if (strlen(setting->text) > (size_t)key->most) {
		problem_in(reader->errors, setting, "the URL is too long: %zu bytes, at most %lld",
			strlen(setting->text), (long long)key->most);
		return false;
	}
	const char *wrong = url_parse(&url, setting->text, &fault);
	if (wrong)
		problem_in(reader->errors, setting, "the URL %s", wrong);
	return !wrong && store_text(reader, setting->text, to);
}

static bool out_of_range(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, const char *value)
{
	struct schema_text range;
	problem_in(reader->errors, setting, "%s is out of range: %s", value,
		schema_range_text(key, &range));
	return false;
}

static bool read_number(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	unsigned *field = to;
	if (setting->kind != SETTING_INTEGER)
		return wrong_kind(reader, setting, "a number without quotation marks");
	if (setting->integer < key->least || setting->integer > key->most) {
		char value[24];
		snprintf(value, sizeof value, "%lld", (long long)setting->integer);
		return out_of_range(reader, key, setting, value);
	}
	*field = (unsigned)setting->integer;
	return true;
}

static bool read_bool(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	bool *field = to;
	(void)key;
	if (setting->kind != SETTING_BOOL)
		return wrong_kind(reader, setting, "true or false, without quotation marks");
	*field = setting->integer != 0;
	return true;
}

struct unit {
	const char *text;
	int64_t size;
};

static const struct unit duration_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { 0 } };
static const struct unit size_units[] = { { "B", 1 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 },
	{ "GiB", 1024 * 1024 * 1024 }, { 0 } };
static const struct unit percent_units[] = { { "%", 1 }, { 0 } };

/* "64KiB": digits and a unit. False when it is anything else or does not fit. */
static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 15)
		return false;
	long long number = strtoll(text, NULL, 10);
	for (; units->text; units++)
		if (strcmp(text + digits, units->text) == 0)
			return !__builtin_mul_overflow(number, units->size, value);
	return false;
}

/* A bare number most often lacks only its unit: show it with one. */
static bool unit_missing(struct value_reader *reader, const struct setting *setting,
	const char *what, const char *units, void (*write)(struct writer *to, int64_t value),
	int64_t unit)
{
	char example[32];
	bool is_number = setting->kind == SETTING_INTEGER && setting->integer >= 0;
	struct writer to = writer_of(example, sizeof example - 1);
	write(&to, (is_number ? setting->integer : 5) * unit);
	example[to.len] = '\0';
	if (is_number)
		problem_in(reader->errors, setting,
			"%s is a text with a unit (%s): write \"%s\" rather than %lld", what, units,
			example, (long long)setting->integer);
	else if (setting->kind == SETTING_TEXT)
		problem_in(reader->errors, setting,
			"%s is not %s: a whole number and a unit (%s), such as \"%s\"",
			QUOTED(setting->text), what, units, example);
	else
		return wrong_kind(reader, setting, what);
	return false;
}

static bool read_duration(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, int64_t unit_ms, void *to)
{
	unsigned *field = to;
	int64_t milliseconds;
	if (setting->kind != SETTING_TEXT ||
		!parse_with_unit(setting->text, duration_units, &milliseconds))
		return unit_missing(reader, setting, "a duration", "ms, s, m, h, d",
			schema_write_duration, 1000);
	if (milliseconds % unit_ms != 0) {
		problem_in(
			reader->errors, setting, "%s must be whole seconds", QUOTED(setting->text));
		return false;
	}
	if (milliseconds / unit_ms < key->least || milliseconds / unit_ms > key->most)
		return out_of_range(reader, key, setting, QUOTED(setting->text));
	*field = (unsigned)(milliseconds / unit_ms);
	return true;
}

static bool read_milliseconds(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_duration(reader, key, setting, 1, to);
}

static bool read_seconds(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_duration(reader, key, setting, 1000, to);
}

static bool read_time(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	int64_t *field = to;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a time such as \"2027-03-01T12:00:00Z\"");
	if (utc_parse(slice_of_text(setting->text), field))
		return true;
	problem_in(reader->errors, setting,
		"%s is not a time: a day such as \"2027-03-01\", or \"2027-03-01T12:00:00Z\", in "
		"UTC",
		QUOTED(setting->text));
	return false;
}

static bool read_size(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	size_t *field = to;
	int64_t bytes;
	if (setting->kind != SETTING_TEXT || !parse_with_unit(setting->text, size_units, &bytes))
		return unit_missing(reader, setting, "a size", "B, KiB, MiB, GiB",
			schema_write_size, setting->kind == SETTING_INTEGER ? 1 : 1024 * 1024);
	if (bytes < key->least || bytes > key->most)
		return out_of_range(reader, key, setting, QUOTED(setting->text));
	*field = (size_t)bytes;
	return true;
}

static bool read_percent(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	unsigned *field = to;
	int64_t percent;
	if (setting->kind != SETTING_TEXT ||
		!parse_with_unit(setting->text, percent_units, &percent))
		return unit_missing(reader, setting, "a percentage", "%", schema_write_percent, 1);
	if (percent < key->least || percent > key->most)
		return out_of_range(reader, key, setting, QUOTED(setting->text));
	*field = (unsigned)percent;
	return true;
}

/* Has it the letters of a host name rather than of an address? */
static bool looks_like_host(const char *text)
{
	for (; *text; text++)
		if ((*text | 0x20) > 'f' && (*text | 0x20) <= 'z')
			return true;
	return false;
}

static bool read_address(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct address address;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "an IP address in quotation marks");
	if (address_parse(&address, setting->text)) {
		memcpy(to, &address, sizeof address);
		return true;
	}
	const char *hint = "";
	if (looks_like_host(setting->text) && strcmp(key->path, "upstreams[].address") == 0)
		hint = "; a name is looked up with host = \"...\" and bootstrap = \"...\"";
	else if (looks_like_host(setting->text))
		hint = "; host names are not looked up here: write the address";
	else if (strchr(setting->text, '/'))
		hint = "; write it without the prefix length";
	else if (strchr(setting->text, '[') || strchr(setting->text, '%'))
		hint = "; write it without brackets or zone";
	problem_in(reader->errors, setting, "%s is not an IPv4 or IPv6 address%s",
		QUOTED(setting->text), hint);
	return false;
}

/* What a network with host bits was most likely meant to be; false when it is no network at all. */
static bool network_without_host_bits(const char *text, char meant[ADDRESS_TEXT_MAX + 8])
{
	char host[ADDRESS_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t host_len = slash ? (size_t)(slash - text) : 0;
	size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;
	if (!digits || digits > 3 || slash[1 + digits] || host_len >= sizeof host)
		return false;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	struct address address;
	if (!address_parse(&address, host))
		return false;
	unsigned prefix_len = (unsigned)strtoul(slash + 1, NULL, 10);
	unsigned first = address_is_v4(&address) && !strchr(host, ':') ? 96 : 0;
	for (unsigned bit = first + prefix_len; bit < 128; bit++)
		address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (first + prefix_len > 128)
		return false;
	address_text(&address, host);
	snprintf(meant, ADDRESS_TEXT_MAX + 8, "%s/%u", host, prefix_len);
	return true;
}

/* Tells of a network that is none only because of that. */
static bool tell_host_bits(struct value_reader *reader, const struct setting *setting)
{
	struct network network;
	char meant[ADDRESS_TEXT_MAX + 8];
	if (network_parse(&network, setting->text) ||
		!network_without_host_bits(setting->text, meant))
		return false;
	problem_in(reader->errors, setting, "%s has bits behind its prefix; did you mean \"%s\"?",
		QUOTED(setting->text), meant);
	return true;
}

static bool read_network(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct network network;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a network in quotation marks");
	if (network_parse(&network, setting->text)) {
		memcpy(to, &network, sizeof network);
		return true;
	}
	if (!tell_host_bits(reader, setting))
		problem_in(reader->errors, setting,
			"%s is not a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", nor an "
			"address",
			QUOTED(setting->text));
	return false;
}

static bool read_listed_text(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct draft_name *name = to;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a text in quotation marks");
	name->at = setting;
	name->text = setting->text;
	return true;
}

/* Reads [ ... ] or ( ... ) element by element; those that are wrong are left out. */
static bool read_list(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, struct arena *memory, size_t size, read_fn read_one,
	void *to)
{
	struct draft_list *list = to;
	if (setting->kind == SETTING_TEXT) {
		problem_in(reader->errors, setting, "expected a list: write [ %s ]",
			QUOTED(setting->text));
		return false;
	}
	if (setting->kind != SETTING_ARRAY && setting->kind != SETTING_LIST)
		return wrong_kind(reader, setting, "a list [ ... ]");
	size_t count = setting->child_count;
	if (count < (size_t)key->least) {
		problem_in(reader->errors, setting, "must not be empty%s",
			key->required ? "" : "; leave the key out instead");
		return false;
	}
	if (count > (size_t)key->most) {
		problem_in(reader->errors, setting, "%zu elements; at most %lld are allowed", count,
			(long long)key->most);
		return false;
	}
	list->at = value_take(reader, memory, count, size);
	bool fine = list->at != NULL;
	for (size_t i = 0; list->at && i < count; i++) {
		void *element = (char *)list->at + list->count * size;
		if (read_one(reader, key, &setting->children[i], element))
			list->count++;
		else
			fine = false;
	}
	return fine;
}

static bool read_texts(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_list(reader, key, setting, reader->scratch, sizeof(struct draft_name),
		read_listed_text, to);
}

static bool read_addresses(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_list(
		reader, key, setting, reader->memory, sizeof(struct address), read_address, to);
}

static bool read_networks(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_list(
		reader, key, setting, reader->memory, sizeof(struct network), read_network, to);
}

static bool read_word(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	int *field = to;
	struct schema_text words;
	struct hint hint;
	schema_range_text(key, &words);
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a word in quotation marks");
	struct suggestion suggestion = suggestion_for(setting->text);
	for (const struct schema_word *word = key->words; word->text; word++) {
		if (strcasecmp(word->text, setting->text) == 0) {
			*field = word->value;
			return true;
		}
		suggestion_offer(&suggestion, word->text);
	}
	*field = DRAFT_NO_WORD; /* not its default: that would be judged with what stands beside it
				 */
	problem_in(reader->errors, setting, "%s is none of %s%s", QUOTED(setting->text), words.text,
		suggestion_hint(&suggestion, &hint));
	return false;
}

/* Tells what a parser found wrong with a text, if it did. */
static bool is_wrong(struct value_reader *reader, const struct setting *setting, const char *wrong)
{
	if (wrong)
		problem_in(reader->errors, setting, "%s %s", QUOTED(setting->text), wrong);
	return wrong != NULL;
}

static bool read_domain(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct dns_name name;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a domain name in quotation marks");
	if (is_wrong(reader, setting, domain_parse(&name, setting->text)))
		return false;
	memcpy(to, &name, sizeof name);
	return true;
}

static bool read_listed_domain(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	struct draft_domain *domain = to;
	struct domain_fault fault;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a domain name in quotation marks");
	if (key->type == SCHEMA_ZONES && tell_host_bits(reader, setting))
		return false;
	const char *wrong;
	if (key->type == SCHEMA_ZONES)
		wrong = domain_parse_zone(&domain->name, setting->text, &fault);
	else if (key->type == SCHEMA_QUESTIONS)
		wrong = domain_parse_question(&domain->name, setting->text);
	else
		wrong = domain_parse_tree(&domain->name, setting->text, &fault);
	domain->at = setting;
	return !is_wrong(reader, setting, wrong);
}

static bool read_domains(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_list(reader, key, setting, reader->scratch, sizeof(struct draft_domain),
		read_listed_domain, to);
}

static bool read_host(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	char host[DOMAIN_HOST_MAX];
	struct domain_fault fault;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "the name of a host in quotation marks");
	return !is_wrong(reader, setting, domain_parse_host(host, setting->text, &fault)) &&
		store_text(reader, host, to);
}

static bool read_pin(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a pin in quotation marks");
	return tls_pin_parse(to, setting->text) ||
		!is_wrong(reader, setting,
			"is not a pin: the base64 of the SHA-256 of a public key, 44 letters with "
			"a \"=\" at the end");
}

static bool read_pins(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_list(
		reader, key, setting, reader->memory, sizeof(struct tls_pin), read_pin, to);
}

static bool read_sha256(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	char digits[DIGEST_SHA256_HEX_MAX] = "";
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a SHA-256 in quotation marks");
	if (!digest_sha256_hex_check(setting->text))
		return !is_wrong(reader, setting,
			"is not a SHA-256: 64 hexadecimal digits, as sha256sum prints");
	dns_name_lower((uint8_t *)digits, (const uint8_t *)setting->text, sizeof digits - 1);
	return store_text(reader, digits, to);
}

static bool read_minisign_key(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a public key of minisign in quotation marks");
	if (!minisign_key_check(setting->text))
		return !is_wrong(reader, setting,
			"is not a public key of minisign: the last line of its .pub file, 56 "
			"letters that begin with \"RW\"");
	return store_text(reader, setting->text, to);
}

static bool read_query_type(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	uint16_t type;
	struct hint hint;
	(void)key;
	if (setting->kind != SETTING_TEXT)
		return wrong_kind(reader, setting, "a query type such as \"AAAA\" or \"TYPE65\"");
	if (dns_type_parse(slice_of_text(setting->text), &type) && type != 0) {
		memcpy(to, &type, sizeof type);
		return true;
	}
	struct suggestion suggestion = suggestion_for(setting->text);
	for (uint16_t number = 1; number <= DNS_TYPE_CAA; number++)
		if (dns_type_name(number))
			suggestion_offer(&suggestion, dns_type_name(number));
	problem_in(reader->errors, setting,
		"%s is not a query type: a name such as \"AAAA\", or \"TYPE1\" to \"TYPE65535\"%s",
		QUOTED(setting->text), suggestion_hint(&suggestion, &hint));
	return false;
}

static const read_fn read_functions[SCHEMA_TYPE_COUNT] = {
	[SCHEMA_NAME] = read_name,
	[SCHEMA_NAMES] = read_texts,
	[SCHEMA_TEXT] = read_text,
	[SCHEMA_TEXTS] = read_texts,
	[SCHEMA_FILE] = read_file,
	[SCHEMA_URL_PATH] = read_url_path,
	[SCHEMA_URL] = read_url,
	[SCHEMA_NUMBER] = read_number,
	[SCHEMA_BOOL] = read_bool,
	[SCHEMA_MILLISECONDS] = read_milliseconds,
	[SCHEMA_SECONDS] = read_seconds,
	[SCHEMA_TIME] = read_time,
	[SCHEMA_SIZE] = read_size,
	[SCHEMA_PERCENT] = read_percent,
	[SCHEMA_ADDRESS] = read_address,
	[SCHEMA_ADDRESSES] = read_addresses,
	[SCHEMA_NETWORKS] = read_networks,
	[SCHEMA_WORD] = read_word,
	[SCHEMA_DOMAIN] = read_domain,
	[SCHEMA_DOMAINS] = read_domains,
	[SCHEMA_ZONES] = read_domains,
	[SCHEMA_QUESTIONS] = read_domains,
	[SCHEMA_HOST] = read_host,
	[SCHEMA_PINS] = read_pins,
	[SCHEMA_SHA256] = read_sha256,
	[SCHEMA_MINISIGN_KEY] = read_minisign_key,
	[SCHEMA_QUERY_TYPE] = read_query_type,
};

bool value_read(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to)
{
	return read_functions[key->type](reader, key, setting, to);
}

/* Defaults go through the same functions as what is written, so that they mean the same. */
void value_preset(struct value_reader *reader, const struct schema_key *key, void *to)
{
	if (key->type == SCHEMA_WORD)
		*(int *)to = DRAFT_NO_WORD;
	if (!key->preset)
		return;
	struct setting written = { .name = key->path, .kind = SETTING_TEXT, .text = key->preset };
	written.file = "default";
	if (key->type == SCHEMA_NUMBER) {
		written.kind = SETTING_INTEGER;
		written.integer = strtoll(key->preset, NULL, 10);
	} else if (key->type == SCHEMA_BOOL) {
		written.kind = SETTING_BOOL;
		written.integer = strcmp(key->preset, "true") == 0;
	}
	value_read(reader, key, &written, to);
}
