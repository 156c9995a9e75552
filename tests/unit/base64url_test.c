/* RFC 4648 section 5 and 10, and what is not base64url. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/framing/base64url.h"

struct row {
	const char *text;
	const char *bytes; /* NULL: refused */
	size_t len;
};

#define FINE(text, bytes)                                                                          \
	{                                                                                          \
		text, bytes, sizeof bytes - 1                                                      \
	}
#define REFUSED(text)                                                                              \
	{                                                                                          \
		text, NULL, 0                                                                      \
	}

static const struct row rows[] = {
	FINE("", ""),
	FINE("Zg", "f"),
	FINE("Zm8", "fo"),
	FINE("Zm9v", "foo"),
	FINE("Zm9vYg", "foob"),
	FINE("Zm9vYmE", "fooba"),
	FINE("Zm9vYmFy", "foobar"),
	FINE("-_8", "\xfb\xff"),
	FINE("____", "\xff\xff\xff"),
	FINE("AAAA", "\0\0\0"),
	/* Padding is survived, too much of it is not. */
	FINE("Zg==", "f"),
	FINE("Zg=", "f"),
	FINE("Zm8=", "fo"),
	FINE("Zm9v=", "foo"),
	FINE("=", ""),
	FINE("==", ""),
	REFUSED("==="),
	REFUSED("Zg==="),
	REFUSED("Z=g"),
	/* Lengths that no bytes have. */
	REFUSED("Z"),
	REFUSED("Zm9vY"),
	/* Bits that nothing was written to. */
	REFUSED("Zh"),
	REFUSED("Zm9"),
	REFUSED("Zm9vYh"),
	/* The other alphabet, blanks, line ends, what is above ASCII. */
	REFUSED("+/8"),
	REFUSED("Zm9 v"),
	REFUSED("Zm9v\n"),
	REFUSED("Zm\xc3\xb6"),
	REFUSED("Zm%3D"),
	REFUSED("Z*"),
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		size_t len = strlen(row->text);
		char *text = malloc(len + 1); /* nothing is read behind it */
		memcpy(text, row->text, len);
		uint8_t bytes[64];
		struct writer to = writer_of(bytes, sizeof bytes);
		bool fine = base64url_decode(&to, slice_of(len ? text : NULL, len));
		if (fine != (row->bytes != NULL))
			fail_msg("\"%s\"", row->text);
		if (fine)
			assert_true(
				slice_equals(writer_slice(&to), slice_of(row->bytes, row->len)));
		free(text);
	}
}

static void test_nul_is_foreign(void **state)
{
	(void)state;
	uint8_t bytes[8];
	struct writer to = writer_of(bytes, sizeof bytes);
	assert_false(base64url_decode(&to, slice_of("Zm\0v", 4)));
}

static void test_too_small(void **state)
{
	(void)state;
	uint8_t bytes[3];
	for (size_t size = 0; size <= 3; size++) {
		struct writer to = writer_of(bytes, size);
		assert_int_equal(base64url_decode(&to, slice_of_text("Zm9v")), size == 3);
	}
	struct writer to = writer_of(bytes, 1);
	assert_true(base64url_decode(&to, slice_of_text("Zg==")));
}

/* RFC 4648 10, without padding. */
static void test_encode(void **state)
{
	static const struct row texts[] = {
		FINE("", ""),
		FINE("Zg", "f"),
		FINE("Zm8", "fo"),
		FINE("Zm9v", "foo"),
		FINE("Zm9vYg", "foob"),
		FINE("Zm9vYmE", "fooba"),
		FINE("Zm9vYmFy", "foobar"),
		FINE("-_8", "\xfb\xff"),
		FINE("____AAAA", "\xff\xff\xff\0\0\0"),
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[16];
		size_t len = strlen(texts[i].text);
		struct writer to = writer_of(text, len);
		base64url_encode(&to, slice_of(texts[i].bytes, texts[i].len));
		assert_false(to.failed);
		assert_true(slice_equals_text(writer_slice(&to), texts[i].text));
		struct writer less = writer_of(text, len ? len - 1 : 0);
		base64url_encode(&less, slice_of(texts[i].bytes, texts[i].len));
		assert_int_equal(less.failed, len > 0);
	}
}

/* Each value of two bytes has one text, and that text decodes to it. */
static void test_all_pairs(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	(void)state;
	for (uint32_t value = 0; value < 65536; value++) {
		const char text[3] = { alphabet[value >> 10], alphabet[value >> 4 & 63],
			alphabet[value << 2 & 63] };
		uint8_t bytes[2];
		struct writer to = writer_of(bytes, sizeof bytes);
		assert_true(base64url_decode(&to, slice_of(text, 3)));
		assert_int_equal(bytes[0] << 8 | bytes[1], value);
		char again[3];
		struct writer back = writer_of(again, sizeof again);
		base64url_encode(&back, writer_slice(&to));
		assert_false(back.failed);
		assert_memory_equal(again, text, sizeof text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nul_is_foreign),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_all_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
