#include "rules/claim_keys.h"

#include "base/error.h"
#include "base/random.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- words ---- */

/* What a view or the list of tokens says, taken apart; still the specification's bytes. */
struct word {
	enum claim_form form;
	struct slice bytes;
};

static struct slice slice_from(struct slice slice, size_t at)
{
	return slice_of(slice.at + at, slice.len - at);
}

static bool begins_with(struct slice slice, struct slice prefix)
{
	return slice.len >= prefix.len && memcmp(slice.at, prefix.at, prefix.len) == 0;
}

struct tail_row {
	const char *kind;
	const char *pattern; /* how a word begins that is one */
	enum claim_form form;
	uint8_t mark; /* what the tail begins with */
};

static const struct tail_row tails[] = {
	{ "dns:", "dns:*.", CLAIM_FORM_HOST_TAIL, '.' },
	{ "email:", "email:*@", CLAIM_FORM_MAIL_TAIL, '@' },
};

enum { TAIL_ROWS = sizeof tails / sizeof *tails };

/* "<star>", "KIND:<star>" and "uri:ANYTHING<star>". */
static bool is_prefix(struct slice text)
{
	if (text.len == 0 || text.at[text.len - 1] != '*')
		return false;
	const uint8_t *colon = memchr(text.at, ':', text.len);
	return text.len == 1 || (colon && colon == text.at + text.len - 2) ||
		begins_with(text, slice_of_text("uri:"));
}

static struct word certificate_word(const char *text)
{
	struct slice all = slice_of_text(text);
	if (is_prefix(all))
		return (struct word){ CLAIM_FORM_PREFIX, slice_of(all.at, all.len - 1) };
	for (size_t i = 0; i < TAIL_ROWS; i++) {
		struct slice pattern = slice_of_text(tails[i].pattern);
		if (begins_with(all, pattern))
			return (struct word){ tails[i].form, slice_from(all, pattern.len - 1) };
	}
	return (struct word){ CLAIM_FORM_CERTIFICATE, all };
}

static struct word tls_word(const char *text)
{
	struct slice all = slice_of_text(text);
	if (begins_with(all, slice_of_text("*.")))
		return (struct word){ CLAIM_FORM_TLS_TAIL, slice_from(all, 1) };
	return (struct word){ CLAIM_FORM_TLS_NAME, all };
}

static struct word token_word(const struct token_spec *token)
{
	return (struct word){ CLAIM_FORM_TOKEN, slice_of(token->sha256, CLAIMS_TOKEN_LEN) };
}

size_t claim_keys_view_count(const struct view_spec *view, enum claim_kind kind)
{
	switch (kind) {
	case CLAIM_CERTIFICATE: return view->certificate_count;
	case CLAIM_TOKEN: return view->token_count;
	case CLAIM_PATH: return view->path_count;
	case CLAIM_TLS_NAME: return view->tls_name_count;
	default: return 0;
	}
}

static struct word view_word(const struct policy_spec *spec, const struct view_spec *view,
	enum claim_kind kind, size_t i)
{
	switch (kind) {
	case CLAIM_CERTIFICATE: return certificate_word(view->certificates[i]);
	case CLAIM_TOKEN: return token_word(&spec->tokens[view->tokens[i]]);
	case CLAIM_PATH: return (struct word){ CLAIM_FORM_PATH, slice_of_text(view->paths[i]) };
	default: return tls_word(view->tls_names[i]);
	}
}

/* How much of a claim is said: anything at all, its kind, its beginning or its end, or all. */
static uint16_t word_rank(const struct word *word)
{
	switch (word->form) {
	case CLAIM_FORM_PREFIX: return (uint16_t)(CLAIM_RANK_ANY + word->bytes.len);
	case CLAIM_FORM_HOST_TAIL: return (uint16_t)(CLAIM_RANK_ANY + 4 + word->bytes.len);
	case CLAIM_FORM_MAIL_TAIL: return (uint16_t)(CLAIM_RANK_ANY + 6 + word->bytes.len);
	case CLAIM_FORM_TLS_TAIL: return CLAIM_RANK_ANY;
	default: return CLAIM_RANK_EXACT;
	}
}

/* ---- building ---- */

static uint64_t hash_of(const struct claim_keys *keys, enum claim_form form, struct slice bytes)
{
	return XXH3_64bits_withSeed(bytes.at, bytes.len, keys->salt + (uint64_t)form);
}

static int put(struct claim_keys *keys, const struct word *word, struct arena *memory)
{
	if (word->bytes.len > CLAIM_WORD_MAX)
		return ERR_TOO_LONG;
	void *copy = arena_take(memory, 1, word->bytes.len + 1);
	if (!copy)
		return ERR_NO_MEMORY;
	memcpy(copy, word->bytes.at, word->bytes.len);
	keys->keys[keys->count++] = (struct claim_key){
		.hash = hash_of(keys, word->form, word->bytes),
		.bytes = slice_of(copy, word->bytes.len),
		.form = (uint8_t)word->form,
		.rank = word_rank(word),
	};
	return 0;
}

static int put_token(struct claim_keys *keys, const struct token_spec *token, struct arena *memory)
{
	struct word word = token_word(token);
	const char *name = arena_text(memory, token->name ? token->name : "");
	int error = name ? put(keys, &word, memory) : ERR_NO_MEMORY;
	if (error)
		return error;
	keys->keys[keys->count - 1].name = name;
	keys->keys[keys->count - 1].until_s = token->until_s;
	return 0;
}

/* The views' tokens are among all tokens. */
static int put_view(
	struct claim_keys *keys, const struct policy_spec *spec, size_t i, struct arena *memory)
{
	const struct view_spec *view = &spec->views[i];
	for (size_t token = 0; token < view->token_count; token++)
		if (view->tokens[token] >= spec->token_count)
			return ERR_INVALID;
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++) {
		size_t count = kind == CLAIM_TOKEN ? 0 : claim_keys_view_count(view, kind);
		for (size_t n = 0; n < count; n++) {
			struct word word = view_word(spec, view, kind, n);
			int error = put(keys, &word, memory);
			if (error)
				return error;
		}
	}
	return 0;
}

static size_t count_words(const struct policy_spec *spec)
{
	size_t count = spec->token_count;
	for (size_t i = 0; i < spec->view_count; i++)
		for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
			if (kind != CLAIM_TOKEN)
				count += claim_keys_view_count(&spec->views[i], kind);
	return count;
}

static int compare_words(const struct claim_key *a, const struct claim_key *b)
{
	if (a->form != b->form)
		return a->form < b->form ? -1 : 1;
	if (a->bytes.len != b->bytes.len)
		return a->bytes.len < b->bytes.len ? -1 : 1;
	return memcmp(a->bytes.at, b->bytes.at, a->bytes.len);
}

/* Of a token that is written twice the one that expires first is left. */
static int compare_keys(const void *a, const void *b)
{
	const struct claim_key *one = a;
	const struct claim_key *other = b;
	if (one->hash != other->hash)
		return one->hash < other->hash ? -1 : 1;
	int order = compare_words(one, other);
	if (order)
		return order;
	int64_t one_s = one->until_s ? one->until_s : INT64_MAX;
	int64_t other_s = other->until_s ? other->until_s : INT64_MAX;
	return one_s < other_s ? -1 : one_s > other_s;
}

static void sort_and_drop(struct claim_keys *keys)
{
	size_t count = 0;
	qsort(keys->keys, keys->count, sizeof *keys->keys, compare_keys);
	for (size_t i = 0; i < keys->count; i++)
		if (count == 0 || compare_words(&keys->keys[count - 1], &keys->keys[i]) != 0)
			keys->keys[count++] = keys->keys[i];
	keys->count = count;
}

static int compare_lens(const void *a, const void *b)
{
	return *(const uint16_t *)b - *(const uint16_t *)a;
}

static int note_prefix_lens(struct claim_keys *keys, struct arena *memory)
{
	size_t count = 0;
	keys->prefix_lens = arena_take(memory, keys->count + 1, sizeof *keys->prefix_lens);
	if (!keys->prefix_lens)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < keys->count; i++)
		if (keys->keys[i].form == CLAIM_FORM_PREFIX)
			keys->prefix_lens[count++] = (uint16_t)keys->keys[i].bytes.len;
	qsort(keys->prefix_lens, count, sizeof *keys->prefix_lens, compare_lens);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || keys->prefix_lens[i] != keys->prefix_lens[i - 1])
			keys->prefix_lens[keys->prefix_len_count++] = keys->prefix_lens[i];
	return 0;
}

int claim_keys_build(struct claim_keys *keys, const struct policy_spec *spec, struct arena *memory)
{
	*keys = (struct claim_keys){ .count = 0 };
	random_fill(&keys->salt, sizeof keys->salt);
	keys->keys = arena_take(memory, count_words(spec), sizeof *keys->keys);
	int error = keys->keys ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < spec->token_count && !error; i++)
		error = put_token(keys, &spec->tokens[i], memory);
	for (size_t i = 0; i < spec->view_count && !error; i++)
		error = put_view(keys, spec, i, memory);
	if (error)
		return error;
	sort_and_drop(keys);
	return note_prefix_lens(keys, memory);
}

/* ---- finding ---- */

/* The first key whose hash is not lower. */
static size_t place_of(const struct claim_keys *keys, uint64_t hash)
{
	size_t low = 0;
	size_t high = keys->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (keys->keys[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t claim_keys_find(const struct claim_keys *keys, enum claim_form form, struct slice bytes)
{
	if (keys->count == 0)
		return CLAIM_KEY_NONE;
	uint64_t hash = hash_of(keys, form, bytes);
	for (size_t i = place_of(keys, hash); i < keys->count && keys->keys[i].hash == hash; i++)
		if (keys->keys[i].form == form && slice_equals_secret(keys->keys[i].bytes, bytes))
			return (uint32_t)i;
	return CLAIM_KEY_NONE;
}

uint32_t claim_keys_view_key(const struct claim_keys *keys, const struct policy_spec *spec,
	const struct view_spec *view, enum claim_kind kind, size_t i)
{
	struct word word = view_word(spec, view, kind, i);
	return claim_keys_find(keys, word.form, word.bytes);
}

/* ---- what a client shows ---- */

static void show(const struct claim_keys *keys, struct shown *shown, enum claim_form form,
	struct slice bytes, struct slice who)
{
	uint32_t key = claim_keys_find(keys, form, bytes);
	if (key == CLAIM_KEY_NONE || shown->count == SHOWN_MAX)
		return;
	for (size_t i = 0; i < shown->count; i++)
		if (shown->keys[i].key == key)
			return;
	shown->keys[shown->count++] =
		(struct shown_key){ .key = key, .rank = keys->keys[key].rank, .who = who };
}

/* "www" before ".corp.example", "anna" before "@corp.example": one part, and not an empty one. */
static void show_tail(const struct claim_keys *keys, struct shown *shown, enum claim_form form,
	uint8_t mark, struct slice text, struct slice who)
{
	const uint8_t *at = text.len ? memchr(text.at, mark, text.len) : NULL;
	if (at && at > text.at)
		show(keys, shown, form, slice_from(text, (size_t)(at - text.at)), who);
}

static void show_tails(const struct claim_keys *keys, struct shown *shown, struct slice name)
{
	for (size_t i = 0; i < TAIL_ROWS; i++) {
		struct slice kind = slice_of_text(tails[i].kind);
		if (begins_with(name, kind))
			show_tail(keys, shown, tails[i].form, tails[i].mark,
				slice_from(name, kind.len), name);
	}
}

void claim_keys_show_certificate(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown)
{
	for (size_t i = 0; i < claims->certificate_count; i++)
		show(keys, shown, CLAIM_FORM_CERTIFICATE, claims->certificate[i],
			claims->certificate[i]);
	for (size_t i = 0; i < claims->certificate_count; i++)
		show_tails(keys, shown, claims->certificate[i]);
	for (size_t len = 0; len < keys->prefix_len_count; len++)
		for (size_t i = 0; i < claims->certificate_count; i++)
			if (claims->certificate[i].len >= keys->prefix_lens[len])
				show(keys, shown, CLAIM_FORM_PREFIX,
					slice_of(claims->certificate[i].at, keys->prefix_lens[len]),
					claims->certificate[i]);
}

void claim_keys_show_tls_name(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown)
{
	if (claims->tls_name.len == 0)
		return;
	show(keys, shown, CLAIM_FORM_TLS_NAME, claims->tls_name, claims->tls_name);
	show_tail(keys, shown, CLAIM_FORM_TLS_TAIL, '.', claims->tls_name, claims->tls_name);
}

void claim_keys_show_path(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown)
{
	if (claims->path.len)
		show(keys, shown, CLAIM_FORM_PATH, claims->path, claims->path);
}

void claim_keys_show_token(
	const struct claim_keys *keys, const struct claims *claims, struct shown *shown)
{
	if (!claims->token)
		return;
	show(keys, shown, CLAIM_FORM_TOKEN, slice_of(claims->token, CLAIMS_TOKEN_LEN),
		slice_of(NULL, 0));
	if (shown->count)
		shown->keys[0].who = slice_of_text(keys->keys[shown->keys[0].key].name);
}
