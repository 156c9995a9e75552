/* tokens.c - secrets that name clients, by their digests. */
#include "proxy/config/resolve.h"

#include <stdlib.h>

#include "base/hex.h"

static int compare_digests(const void *a, const void *b)
{
	const struct draft_token *left = *(const struct draft_token *const *)a;
	const struct draft_token *right = *(const struct draft_token *const *)b;
	int order = strcmp(left->sha256, right->sha256);
	return order ? order : (left > right) - (left < right);
}

/* Two names of one secret: nothing says who shows it. */
static void check_digests(struct resolve *resolve, const struct draft_token *tokens, size_t count)
{
	const struct draft_token **sorted = arena_take(resolve->scratch, count, sizeof *sorted);
	size_t known = 0;
	resolve->no_memory |= !sorted;
	for (size_t i = 0; sorted && i < count; i++)
		if (tokens[i].sha256)
			sorted[known++] = &tokens[i];
	if (known)
		qsort(sorted, known, sizeof(struct draft_token *), compare_digests);
	for (size_t i = 1; i < known; i++)
		if (strcmp(sorted[i]->sha256, sorted[i - 1]->sha256) == 0)
			problem_with(resolve, sorted[i], "sha256",
				"%s has the same secret as the token of %s",
				QUOTED(sorted[i]->name ? sorted[i]->name : ""),
				LINE_OF(sorted[i - 1]->element.at, sorted[i]->element.at));
}

void resolve_tokens(struct resolve *resolve)
{
	const struct draft_token *from = resolve->draft->tokens.at;
	size_t count = resolve->draft->tokens.count;
	struct token_spec *to = resolve_take(resolve, count, sizeof *to);
	resolve->tokens = names_new("token", count, resolve->scratch);
	resolve->no_memory |= !resolve->tokens.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		to[i].name = from[i].name;
		to[i].until_s = from[i].expires_s;
		if (from[i].sha256)
			(void)hex_read(to[i].sha256, CLAIMS_TOKEN_LEN,
				slice_of_text(from[i].sha256)); /* it was checked */
		names_add(&resolve->tokens, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
	}
	names_check(&resolve->tokens, resolve->errors);
	check_digests(resolve, from, count);
	resolve->config->policy.tokens = to;
	resolve->config->policy.token_count = count;
}
