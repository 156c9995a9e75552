#include "dns/types.h"

#include <strings.h>

struct type_row {
	uint16_t number;
	uint8_t kind;
	const char *name;
};

static const struct type_row types[] = {
#define DNS_TYPE(name, number, kind) { number, DNS_RDATA_##kind, #name },
#include "dns/types.def"
#undef DNS_TYPE
};

enum { TYPE_COUNT = sizeof types / sizeof *types };

enum type_place {
#define DNS_TYPE(name, number, kind) TYPE_ROW_##name,
#include "dns/types.def"
#undef DNS_TYPE
};

/* By number: its row and 1, or 0. Asked for with every record, and twice for a line of the log. */
static const uint8_t rows[] = {
#define DNS_TYPE(name, number, kind) [number] = TYPE_ROW_##name + 1,
#include "dns/types.def"
#undef DNS_TYPE
};

static const struct type_row *type_find(uint16_t number)
{
	return number < sizeof rows && rows[number] ? &types[rows[number] - 1] : NULL;
}

enum dns_rdata_kind dns_rdata_kind(uint16_t type)
{
	const struct type_row *row = type_find(type);
	return row ? (enum dns_rdata_kind)row->kind : DNS_RDATA_OPAQUE;
}

const char *dns_type_name(uint16_t type)
{
	const struct type_row *row = type_find(type);
	return row ? row->name : NULL;
}

const char *dns_rcode_name(uint16_t rcode)
{
	switch (rcode) {
#define DNS_RCODE(name, number)                                                                    \
	case number:                                                                               \
		return #name;
#include "dns/types.def"
#undef DNS_RCODE
	default: return NULL;
	}
}

const char *dns_class_name(uint16_t class)
{
	switch (class) {
	case DNS_CLASS_IN: return "IN";
	case DNS_CLASS_CH: return "CH";
	case DNS_CLASS_HS: return "HS";
	case DNS_CLASS_NONE: return "NONE";
	case DNS_CLASS_ANY: return "ANY";
	default: return NULL;
	}
}

void dns_type_write(struct writer *to, uint16_t type)
{
	const char *name = dns_type_name(type);
	writer_text(to, name ? name : "TYPE");
	if (!name)
		writer_decimal(to, type);
}

static bool parse_u16(struct slice digits, uint16_t *value)
{
	unsigned sum = 0;
	if (digits.len == 0 || digits.len > 5)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		sum = sum * 10 + (unsigned)(digits.at[i] - '0');
	}
	*value = (uint16_t)sum;
	return sum <= UINT16_MAX;
}

bool dns_type_parse(struct slice text, uint16_t *type)
{
	for (size_t i = 0; i < TYPE_COUNT; i++) {
		size_t len = strlen(types[i].name);
		if (len == text.len &&
			strncasecmp(types[i].name, (const char *)text.at, len) == 0) {
			*type = types[i].number;
			return true;
		}
	}
	if (text.len < 5 || strncasecmp((const char *)text.at, "TYPE", 4) != 0)
		return false;
	return parse_u16(slice_of(text.at + 4, text.len - 4), type);
}
