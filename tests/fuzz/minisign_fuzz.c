/* minisign_fuzz.c - any bytes as a signature, and as a public key. No mutation of a signature is
 * one of this file, but for the comment that nobody signed and its line ends. */
#include "tls/minisign.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file_text[] = "a.example\nb.example\n";
static const char key_text[] = "RWS8ELB47GwqAyJqYoqtucGOC5jtIPmZChz2WJOYmbBYefWePC5Nfmyj";

static bool contains(struct slice text, const char *what)
{
	return text.len && memmem(text.at, text.len, what, strlen(what));
}

static void check(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice signature = slice_of(data, size);
	struct slice file = slice_of_text(file_text);
	const char *why = "";
	bool good = minisign_verify(file, signature, key_text, &why);
	check(good == !why);
	if (good) {
		check(contains(signature, "\ntrusted comment: edition 1"));
		check(!minisign_verify(slice_of(file.at, file.len - 1), signature, key_text, &why));
	}
	char *text = malloc(size + 1);
	check(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (minisign_key_check(text))
		check(strlen(text) == strlen(key_text));
	minisign_verify(file, signature, text, &why);
	free(text);
	return 0;
}
