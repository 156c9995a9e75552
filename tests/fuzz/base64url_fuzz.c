/* What decodes is what encodes to the same text again; what does not decode is no such text. */
#include "proxy/framing/base64url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void check(bool truth)
{
	if (!truth)
		abort();
}

/* Plainly, bit by bit. */
static size_t encode(char *to, struct slice bytes)
{
	size_t len = 0;
	for (size_t bit = 0; bit < bytes.len * 8; bit += 6) {
		unsigned value = 0;
		for (size_t i = bit; i < bit + 6; i++) {
			unsigned byte = i / 8 < bytes.len ? bytes.at[i / 8] : 0;
			value = value << 1 | (byte >> (7 - i % 8) & 1);
		}
		to[len++] = alphabet[value];
	}
	return len;
}

static bool is_text(struct slice text)
{
	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\0' || !strchr(alphabet, text.at[i]))
			return false;
	unsigned spare = text.len % 4 == 2 ? 15 : text.len % 4 == 3 ? 3 : 0;
	if (text.len == 0)
		return true;
	const char *last = strchr(alphabet, text.at[text.len - 1]);
	return ((unsigned)(last - alphabet) & spare) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	uint8_t *bytes = malloc(size + 1);
	char *again = malloc(size + 8);
	struct writer to = writer_of(bytes, size);
	bool fine = base64url_decode(&to, text);
	for (unsigned i = 0; i < 2 && text.len > 0 && text.at[text.len - 1] == '='; i++)
		text.len--;
	check(fine == is_text(text));
	if (fine) {
		check(to.len == text.len * 3 / 4);
		check(slice_equals(text, slice_of(again, encode(again, writer_slice(&to)))));
		struct writer ours = writer_of(again, text.len);
		base64url_encode(&ours, writer_slice(&to));
		check(!ours.failed && slice_equals(text, writer_slice(&ours)));
		/* Exactly as much room as needed is enough, one byte less is not. */
		struct writer exact = writer_of(bytes, to.len);
		check(base64url_decode(&exact, text));
		if (to.len > 0) {
			struct writer less = writer_of(bytes, to.len - 1);
			check(!base64url_decode(&less, text));
		}
	}
	free(bytes);
	free(again);
	return 0;
}
