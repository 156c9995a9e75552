/* admission_bench.c - CPU-ns to find the view of a client, by what it is known: for one view and
 * for a thousand, each with a word of its own; and of a thousand that differ by network alone. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules/policy.h"

enum { VIEWS_MAX = POLICY_VIEWS_MAX, ROUNDS = 2000000 };

struct words {
	char texts[VIEWS_MAX][48];
	const char *at[VIEWS_MAX];
	uint16_t tokens[VIEWS_MAX];
	struct token_spec specs[VIEWS_MAX];
	struct network networks[VIEWS_MAX];
	struct view_spec views[VIEWS_MAX];
};

static struct words words;

static void fill_word(size_t i, enum claim_kind kind)
{
	static const char *const parts[][2] = {
		[CLAIM_CERTIFICATE] = { "uri:spiffe://corp.example/", "" },
		[CLAIM_TOKEN] = { "", "" },
		[CLAIM_PATH] = { "path", "" },
		[CLAIM_TLS_NAME] = { "n", ".dns.example" },
	};
	struct view_spec *view = &words.views[i];
	*view = (struct view_spec){ .name = "view" };
	if (kind < CLAIM_NETWORK && kind != CLAIM_TOKEN)
		snprintf(words.texts[i], sizeof words.texts[i], "%s%05zu%s", parts[kind][0], i,
			parts[kind][1]);
	words.at[i] = words.texts[i];
	words.tokens[i] = (uint16_t)i;
	words.specs[i] = (struct token_spec){ .name = "token" };
	memcpy(words.specs[i].sha256, &i, sizeof i);
	words.networks[i] = (struct network){ .prefix_len = 120 };
	words.networks[i].address =
		address_of_v4((uint8_t[]){ 10, (uint8_t)(i >> 8), (uint8_t)i, 0 });
	switch (kind) {
	case CLAIM_CERTIFICATE:
		view->certificates = &words.at[i], view->certificate_count = 1;
		break;
	case CLAIM_TOKEN: view->tokens = &words.tokens[i], view->token_count = 1; break;
	case CLAIM_PATH: view->paths = &words.at[i], view->path_count = 1; break;
	case CLAIM_TLS_NAME: view->tls_names = &words.at[i], view->tls_name_count = 1; break;
	default: view->clients = &words.networks[i], view->client_count = 1; break;
	}
}

static double measure(const struct policy *policy, size_t count, enum claim_kind kind)
{
	struct claims claims = { .now_s = 1 };
	struct slice name;
	size_t found = 0;
	clock_t begun = clock();
	for (size_t round = 0; round < ROUNDS; round++) {
		size_t i = round * 7919 % count;
		name = slice_of(words.texts[i], strlen(words.texts[i]));
		claims.client = words.networks[i].address;
		claims.certificate = kind == CLAIM_CERTIFICATE ? &name : NULL;
		claims.certificate_count = kind == CLAIM_CERTIFICATE;
		claims.token = kind == CLAIM_TOKEN ? words.specs[i].sha256 : NULL;
		claims.path = kind == CLAIM_PATH ? name : slice_of(NULL, 0);
		claims.tls_name = kind == CLAIM_TLS_NAME ? name : slice_of(NULL, 0);
		found += policy_find_view(policy, &claims).view == i;
	}
	if (found != ROUNDS)
		abort();
	return (double)(clock() - begun) / CLOCKS_PER_SEC * 1e9 / ROUNDS;
}

int main(void)
{
	static const size_t counts[] = { 1, 10, 100, 1000 };
	printf("%-12s", "views");
	for (size_t c = 0; c < 4; c++)
		printf(" %8zu", counts[c]);
	puts("");
	for (enum claim_kind kind = 0; kind < CLAIM_KINDS; kind++) {
		printf("%-12s", claim_kind_name(kind));
		for (size_t c = 0; c < 4; c++) {
			int error;
			for (size_t i = 0; i < counts[c]; i++)
				fill_word(i, kind);
			const struct policy_spec spec = { .views = words.views,
				.view_count = counts[c],
				.tokens = words.specs,
				.token_count = kind == CLAIM_TOKEN ? counts[c] : 0,
				.listener_count = 1 };
			struct policy *policy = policy_build(&spec, NULL, &error);
			if (!policy)
				abort();
			printf(" %8.0f", measure(policy, counts[c], kind));
			policy_free(policy);
		}
		puts("");
	}
	return 0;
}
