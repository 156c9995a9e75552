#include "proxy/lists/suffix_parents.h"

#include <libpsl.h>
#include <stdlib.h>

#include "dns/name.h"
#include "proxy/lists/list_file.h"

enum { TEXT_MAX = 16 << 20, FIRST_ROOM = 1024 };

struct suffix_parents {
	size_t count;
	size_t room;
	struct dns_name *names; /* sorted */
};

static int compare(const void *a, const void *b)
{
	const struct dns_name *left = a;
	const struct dns_name *right = b;
	if (left->len != right->len)
		return left->len < right->len ? -1 : 1;
	return memcmp(left->wire, right->wire, left->len);
}

static bool add(struct suffix_parents *parents, struct slice name)
{
	if (parents->count == parents->room) {
		size_t room = parents->room ? 2 * parents->room : FIRST_ROOM;
		struct dns_name *names = realloc(parents->names, room * sizeof *names);
		if (!names)
			return false;
		parents->names = names;
		parents->room = room;
	}
	struct dns_name *to = &parents->names[parents->count++];
	to->len = (uint8_t)name.len;
	dns_name_lower(to->wire, name.at, name.len);
	return true;
}

/* All that is above a rule, but not the top-level domain. Rules in other scripts are left out: the
 * private section has them for a few registries of subdomains only. */
static bool add_rule(struct suffix_parents *parents, struct slice rule)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	struct dns_name name;
	if (rule.len >= 2 && memcmp(rule.at, "*.", 2) == 0)
		rule = slice_of(rule.at + 2, rule.len - 2);
	if (rule.len == 0 || rule.at[0] == '!' || !dns_name_from_text(&name, rule))
		return true;
	size_t labels = dns_name_labels(dns_name_slice(&name), offsets);
	for (size_t i = 1; i + 1 < labels; i++)
		if (!add(parents, slice_of(name.wire + offsets[i], name.len - offsets[i])))
			return false;
	return true;
}

static struct slice take_line(struct slice *text)
{
	const uint8_t *end = memchr(text->at, '\n', text->len);
	size_t len = end ? (size_t)(end - text->at) : text->len;
	struct slice line = slice_of(text->at, len);
	size_t step = end ? len + 1 : len;
	*text = slice_of(text->at + step, text->len - step);
	while (line.len > 0 && line.at[line.len - 1] <= ' ')
		line.len--;
	return line;
}

static bool has_word(struct slice line, const char *word)
{
	return memmem(line.at, line.len, word, strlen(word));
}

static bool read_rules(struct suffix_parents *parents, struct slice text)
{
	bool is_private = false;
	while (text.len > 0) {
		struct slice line = take_line(&text);
		if (line.len >= 2 && memcmp(line.at, "//", 2) == 0) {
			is_private |= has_word(line, "===BEGIN PRIVATE DOMAINS===");
			is_private &= !has_word(line, "===END PRIVATE DOMAINS===");
		} else if (is_private && !add_rule(parents, line)) {
			return false;
		}
	}
	return parents->count > 0;
}

struct suffix_parents *suffix_parents_read(struct slice text)
{
	struct suffix_parents *parents = calloc(1, sizeof *parents);
	if (!parents)
		return NULL;
	if (read_rules(parents, text)) {
		qsort(parents->names, parents->count, sizeof *parents->names, compare);
		return parents;
	}
	suffix_parents_close(parents);
	return NULL;
}

struct suffix_parents *suffix_parents_open(void)
{
	struct slice text;
	const char *file = psl_builtin_filename();
	if (!file || list_file_read(file, TEXT_MAX, &text))
		return NULL;
	struct suffix_parents *parents = suffix_parents_read(text);
	free((void *)(uintptr_t)text.at);
	return parents;
}

void suffix_parents_close(struct suffix_parents *parents)
{
	if (!parents)
		return;
	free(parents->names);
	free(parents);
}

bool suffix_parents_have(const struct suffix_parents *parents, struct slice name)
{
	struct dns_name key = { .len = (uint8_t)name.len };
	memcpy(key.wire, name.at, name.len);
	return bsearch(&key, parents->names, parents->count, sizeof key, compare);
}
