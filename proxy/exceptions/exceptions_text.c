#include "proxy/exceptions/exceptions_text.h"

#include "base/key_lines.h"
#include "proxy/watch/escape.h"

static const char first_line[] = "namegate-exceptions 1";

bool exceptions_text_is_reason(const char *text)
{
	char shown[4 * EXCEPTION_BECAUSE_MAX];
	struct slice given = slice_of_text(text);
	struct writer to = writer_of(shown, sizeof shown);
	if (given.len >= EXCEPTION_BECAUSE_MAX || strspn(text, " ") == given.len)
		return false;
	escape_text(&to, given, sizeof shown); /* what is not clean becomes something else */
	return !to.failed && slice_equals(writer_slice(&to), given);
}

/* ---- writing ---- */

static const char *const kinds[] = {
	[PATTERN_EXACT] = "exact", [PATTERN_BELOW] = "below", [PATTERN_BOTH] = "both"
};

static bool put_exception(struct bytes *to, const struct exception *exception)
{
	char name[DNS_NAME_TEXT_MAX];
	return key_lines_put_number(to, "exception", exception->id) &&
		key_lines_put(to, "action", action_name(exception->action)) &&
		key_lines_put(to, "kind", kinds[exception->kind]) &&
		key_lines_put(to, "name", dns_name_text(dns_name_slice(&exception->name), name)) &&
		(!*exception->view || key_lines_put(to, "view", exception->view)) &&
		key_lines_put_number(to, "made", exception->made_s) &&
		key_lines_put_number(to, "until", exception->until_s) &&
		key_lines_put(to, "because", exception->because) &&
		key_lines_put(to, "by", exception->by);
}

bool exceptions_text_write(
	struct bytes *to, const struct exception *at, size_t count, uint32_t next_id)
{
	bool good = key_lines_put_line(to, first_line) && key_lines_put_number(to, "next", next_id);
	for (size_t i = 0; i < count && good; i++)
		good = put_exception(to, &at[i]);
	return good && key_lines_put_line(to, "end");
}

/* ---- reading ---- */

/* None of them is empty. */
static bool take_text(char *to, size_t size, struct slice value)
{
	return value.len > 0 && key_lines_text(to, size, value);
}

static bool take_id(uint32_t *to, struct slice value)
{
	int64_t number;
	if (!key_lines_number(&number, value) || number < 1 || number >= UINT32_MAX)
		return false;
	*to = (uint32_t)number;
	return true;
}

static bool take_action(enum action *to, struct slice value)
{
	char word[16];
	return take_text(word, sizeof word, value) && action_parse(word, to) &&
		(*to == ACTION_ALLOW || *to == ACTION_BLOCK);
}

static bool take_kind(enum pattern_kind *to, struct slice value)
{
	*to = (enum pattern_kind)0;
	for (unsigned kind = PATTERN_EXACT; kind <= PATTERN_BOTH; kind++)
		if (slice_equals_text(value, kinds[kind]))
			*to = (enum pattern_kind)kind;
	return *to != 0;
}

static bool take_name(struct dns_name *to, struct slice value)
{
	if (!dns_name_from_text(to, value))
		return false;
	dns_name_lower(to->wire, to->wire, to->len);
	return true;
}

static bool take_field(struct exception *to, struct slice key, struct slice value)
{
	if (slice_equals_text(key, "action"))
		return take_action(&to->action, value);
	if (slice_equals_text(key, "kind"))
		return take_kind(&to->kind, value);
	if (slice_equals_text(key, "name"))
		return take_name(&to->name, value);
	if (slice_equals_text(key, "view"))
		return take_text(to->view, sizeof to->view, value);
	if (slice_equals_text(key, "made"))
		return key_lines_number(&to->made_s, value);
	if (slice_equals_text(key, "until"))
		return key_lines_number(&to->until_s, value);
	if (slice_equals_text(key, "because"))
		return take_text(to->because, sizeof to->because, value);
	if (slice_equals_text(key, "by"))
		return take_text(to->by, sizeof to->by, value);
	return true; /* of a later version */
}

static bool is_whole(const struct exception *exception)
{
	return exception->id && exception->action != ACTION_NONE && exception->kind &&
		exception->name.len && exception->until_s && *exception->by &&
		exceptions_text_is_reason(exception->because);
}

struct reading {
	struct exceptions_kept *kept;
	struct exception one; /* of the block that is read */
	bool in_block;
	bool is_broken;
};

static bool has_id(const struct exceptions_kept *kept, uint32_t id)
{
	for (size_t i = 0; i < kept->count; i++)
		if (kept->at[i].id == id)
			return true;
	return false;
}

static void end_block(struct reading *reading)
{
	struct exceptions_kept *kept = reading->kept;
	const struct exception *one = &reading->one;
	if (!reading->in_block)
		return;
	reading->in_block = false;
	if (one->id >= kept->next_id)
		kept->next_id = one->id + 1;
	if (reading->is_broken || !is_whole(one) || kept->count == EXCEPTIONS_MAX ||
		has_id(kept, one->id))
		kept->left_out++;
	else
		kept->at[kept->count++] = *one;
}

static void begin_block(struct reading *reading, struct slice value)
{
	end_block(reading);
	reading->one = (struct exception){ .id = 0 };
	reading->in_block = true;
	reading->is_broken = !take_id(&reading->one.id, value);
}

/* Without the beginning of a line that was cut off. */
static struct slice whole_lines(struct slice text)
{
	while (text.len > 0 && text.at[text.len - 1] != '\n')
		text.len--;
	return text;
}

/* Gives false at the last line. */
static bool read_line(struct reading *reading, struct key_line line)
{
	uint32_t next;
	if (slice_equals_text(line.key, "end"))
		return false;
	if (slice_equals_text(line.key, "exception"))
		begin_block(reading, line.value);
	else if (reading->in_block)
		reading->is_broken |= !take_field(&reading->one, line.key, line.value);
	else if (slice_equals_text(line.key, "next") && take_id(&next, line.value))
		reading->kept->next_id = next;
	return true;
}

bool exceptions_text_read(struct exceptions_kept *kept, struct slice text)
{
	struct reading reading = { .kept = kept };
	kept->count = 0;
	kept->left_out = 0;
	kept->next_id = 1;
	if (text.len > EXCEPTIONS_TEXT_MAX || !key_lines_begin(&text, first_line))
		return false;
	bool ended = false;
	text = whole_lines(text);
	while (!ended && text.len > 0)
		ended = !read_line(&reading, key_lines_next(&text));
	if (!ended) /* the last block may be cut off */
		reading.is_broken = true;
	end_block(&reading);
	return ended;
}
