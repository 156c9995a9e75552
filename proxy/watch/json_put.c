#include "proxy/watch/json_put.h"

#include "proxy/watch/escape.h"

void json_put_key(struct writer *to, const char *key)
{
	if (to->len && to->at[to->len - 1] != '{')
		writer_u8(to, ',');
	writer_u8(to, '"');
	writer_text(to, key);
	writer_text(to, "\":");
}

void json_put_number(struct writer *to, const char *key, uint64_t value)
{
	json_put_key(to, key);
	writer_decimal(to, value);
}

void json_put_slice(struct writer *to, const char *key, struct slice text)
{
	json_put_key(to, key);
	writer_u8(to, '"');
	escape_json(to, text, JSON_PUT_TEXT_MAX);
	writer_u8(to, '"');
}

void json_put_text(struct writer *to, const char *key, const char *text)
{
	if (text && text[0])
		json_put_slice(to, key, slice_of_text(text));
}
