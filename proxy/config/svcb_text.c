#include "proxy/config/svcb_text.h"

#include "base/address.h"
#include "tls/base64.h"

#include <stdlib.h>

/* RFC 9460 14.3.2. */
enum { KEY_ALPN = 1, KEY_NO_DEFAULT_ALPN = 2, KEY_PORT = 3, KEY_V4 = 4, KEY_ECH = 5, KEY_V6 = 6 };

enum { PARAMS_MAX = 12, ALPN_MAX = 255, ECH_MAX = 1024, PORT_DIGITS_MAX = 5 };

/* The text up to the next comma, which is taken off the front. */
static struct slice next_item(struct slice *list)
{
	const uint8_t *comma = list->len ? memchr(list->at, ',', list->len) : NULL;
	struct slice item = slice_of(list->at, comma ? (size_t)(comma - list->at) : list->len);
	size_t taken = item.len + (comma != NULL);
	*list = slice_of(list->at + taken, list->len - taken);
	return item;
}

static bool read_number(struct slice text, unsigned *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*number = *number * 10 + (unsigned)(text.at[i] - '0');
	}
	return text.len > 0 && text.len <= PORT_DIGITS_MAX && *number <= UINT16_MAX;
}

static bool read_alpn(struct writer *to, struct slice value)
{
	do {
		struct slice item = next_item(&value);
		if (item.len == 0 || item.len > ALPN_MAX)
			return false;
		writer_u8(to, (uint8_t)item.len);
		writer_slice_bytes(to, item);
	} while (value.len > 0);
	return true;
}

static bool read_nothing(struct writer *to, struct slice value)
{
	(void)to;
	return value.len == 0;
}

static bool read_port(struct writer *to, struct slice value)
{
	unsigned port;
	if (!read_number(value, &port))
		return false;
	writer_u16(to, (uint16_t)port);
	return true;
}

static bool read_hints(struct writer *to, struct slice value, bool is_v4)
{
	do {
		char text[ADDRESS_TEXT_MAX];
		struct address address;
		struct slice item = next_item(&value);
		if (item.len == 0 || item.len >= sizeof text || memchr(item.at, 0, item.len))
			return false;
		memcpy(text, item.at, item.len);
		text[item.len] = '\0';
		if (!address_parse(&address, text) || (strchr(text, ':') == NULL) != is_v4)
			return false;
		writer_bytes(to, address.bytes + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
	} while (value.len > 0);
	return true;
}

static bool read_v4_hints(struct writer *to, struct slice value)
{
	return read_hints(to, value, true);
}

static bool read_v6_hints(struct writer *to, struct slice value)
{
	return read_hints(to, value, false);
}

static bool read_ech(struct writer *to, struct slice value)
{
	uint8_t bytes[ECH_MAX];
	size_t padding = 0;
	while (padding < 2 && padding < value.len && value.at[value.len - 1 - padding] == '=')
		padding++;
	size_t len = value.len / 4 * 3;
	if (len == 0 || len > sizeof bytes || !base64_read(value, bytes, len - padding))
		return false;
	writer_bytes(to, bytes, len - padding);
	return true;
}

static const struct {
	const char *name;
	uint16_t key;
	bool (*read)(struct writer *to, struct slice value);
} keys[] = {
	{ "alpn", KEY_ALPN, read_alpn },
	{ "no-default-alpn", KEY_NO_DEFAULT_ALPN, read_nothing },
	{ "port", KEY_PORT, read_port },
	{ "ipv4hint", KEY_V4, read_v4_hints },
	{ "ech", KEY_ECH, read_ech },
	{ "ipv6hint", KEY_V6, read_v6_hints },
};

struct param {
	unsigned key;
	struct slice value;
	bool (*read)(struct writer *to, struct slice value);
};

static bool find_key(struct param *param, struct slice name)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (!slice_equals_text(name, keys[i].name))
			continue;
		param->key = keys[i].key;
		param->read = keys[i].read;
		return true;
	}
	param->read = read_nothing;
	return name.len > 3 && memcmp(name.at, "key", 3) == 0 &&
		read_number(slice_of(name.at + 3, name.len - 3), &param->key);
}

static bool read_param(struct param *param, const struct zone_word *word)
{
	struct slice text = word->text;
	const uint8_t *equals = text.len ? memchr(text.at, '=', text.len) : NULL;
	size_t name_len = equals ? (size_t)(equals - text.at) : text.len;
	size_t value_at = name_len + (equals != NULL);
	param->value = slice_of(text.at + value_at, text.len - value_at);
	return !word->is_quoted && find_key(param, slice_of(text.at, name_len));
}

static int compare_params(const void *a, const void *b)
{
	const struct param *left = a, *right = b;
	return (left->key > right->key) - (left->key < right->key);
}

static bool write_param(struct writer *to, const struct param *param)
{
	writer_u16(to, (uint16_t)param->key);
	size_t len_at = to->len;
	writer_u16(to, 0);
	if (!param->read(to, param->value) || to->failed)
		return false;
	size_t len = to->len - len_at - 2;
	to->at[len_at] = (uint8_t)(len >> 8);
	to->at[len_at + 1] = (uint8_t)len;
	return len <= UINT16_MAX;
}

static bool write_params(struct writer *to, const struct zone_word *words, size_t count)
{
	struct param params[PARAMS_MAX];
	if (count > PARAMS_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_param(&params[i], &words[i]))
			return false;
	if (count)
		qsort(params, count, sizeof *params, compare_params);
	for (size_t i = 0; i < count; i++) {
		bool is_twice = i > 0 && params[i].key == params[i - 1].key;
		if (is_twice || !write_param(to, &params[i]))
			return false;
	}
	return true;
}

bool svcb_text_read(struct writer *to, const struct zone_word *words, size_t count,
	const struct dns_name *origin)
{
	unsigned priority;
	struct dns_name target;
	if (count < 2 || words[0].is_quoted || words[1].is_quoted ||
		!read_number(words[0].text, &priority) ||
		!zone_name_read(&target, words[1].text, origin))
		return false;
	writer_u16(to, (uint16_t)priority);
	writer_bytes(to, target.wire, target.len);
	return write_params(to, words + 2, count - 2) && !to->failed;
}
