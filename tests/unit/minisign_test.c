/* Signatures that minisign made, before and now; each of their parts spoilt; and what minisign says
 * of the same files today, where it is installed. */
#include "tls/minisign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* The key, file ("test") and signature that minisign's author publishes for other programs'
 * tests. */
#define AUTHOR_KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define AUTHOR_SIGNATURE                                                                           \
	"untrusted comment: signature from minisign secret key\n"                                  \
	"RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJyl"    \
	"DOocrCo8KLzZwo=\n"                                                                        \
	"trusted comment: timestamp:1556193335\tfile:test\n"                                       \
	"y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEB"    \
	"g==\n"

#define FILE_TEXT "a.example\nb.example\n"
#define KEY       "RWS8ELB47GwqAyJqYoqtucGOC5jtIPmZChz2WJOYmbBYefWePC5Nfmyj"
#define UNTRUSTED "untrusted comment: signature from minisign secret key\n"
#define HASHED                                                                                     \
	"RUS8ELB47GwqA1gKWJyDt/RleMsekyobH1KJaFoZ+UHx7+oTDa/YjTGB4XEK76YLt/dVHI9JCraTZL3jHfTch"    \
	"EJyzXP1z7UlTgs="
#define PLAIN                                                                                      \
	"RWS8ELB47GwqAwQOii60O63C+ev4P1FEVBW5VkcO9J7VY+d+nqi16il97jMa6BBhICuwnp6swnYiithxiw7Bi"    \
	"ykGA8rk6IRUsgQ="
#define TRUSTED "trusted comment: edition 1\n"
#define OF_HASHED                                                                                  \
	"9tGYQ98/jfZzodMxBGNewqohHbXpDEIpwEw5lfSBU88wQZKyJG8qxS1DaRr2d46WLLL+DCyh8aq5kVeXhlEXB"    \
	"g==\n"
#define OF_PLAIN                                                                                   \
	"lfyFuozuM8npTPW/tONmQopO//V+LmPH1OXAcmAgJ3DMjIQsemUM1EPuQlSClgvqVCHYCz2d+TFzj/qFJvjpA"    \
	"A==\n"

/* In exact memory, so that a sanitizer sees a byte read too far. */
static bool verify(struct slice file, struct slice signature, const char *key, const char **why)
{
	uint8_t *copy = malloc(signature.len ? signature.len : 1);
	assert_non_null(copy);
	memcpy(copy, signature.at, signature.len);
	bool good = minisign_verify(file, slice_of(copy, signature.len), key, why);
	free(copy);
	assert_int_equal(good, *why == NULL);
	return good;
}

static void test_signatures(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		const char *signature;
		const char *key;
		const char *why; /* NULL: good */
	} rows[] = {
		{ "test", AUTHOR_SIGNATURE, AUTHOR_KEY, NULL },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED OF_HASHED, KEY, NULL },
		{ FILE_TEXT, UNTRUSTED PLAIN "\n" TRUSTED OF_PLAIN, KEY, NULL },
		/* the untrusted comment may be any; line ends may be those of another system */
		{ FILE_TEXT, "untrusted comment: \n" HASHED "\n" TRUSTED OF_HASHED, KEY, NULL },
		{ FILE_TEXT,
			"untrusted comment: x\r\n" HASHED "\r\ntrusted comment: edition 1\r\n"
			"9tGYQ98/jfZzodMxBGNewqohHbXpDEIpwEw5lfSBU88wQZKyJG8qxS1DaRr2d46WLLL+DCyh8a"
			"q5kVeXhlEXBg==",
			KEY, NULL },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED OF_HASHED "\r\n\n", KEY, NULL },
		/* another file, key, comment, or parts of two signatures */
		{ "a.example\nb.example", UNTRUSTED HASHED "\n" TRUSTED OF_HASHED, KEY,
			"the signature is not of this file" },
		{ "", UNTRUSTED HASHED "\n" TRUSTED OF_HASHED, KEY,
			"the signature is not of this file" },
		{ FILE_TEXT, AUTHOR_SIGNATURE, KEY, "signed with another key" },
		{ "test", AUTHOR_SIGNATURE, KEY, "signed with another key" },
		{ FILE_TEXT, UNTRUSTED HASHED "\ntrusted comment: edition 2\n" OF_HASHED, KEY,
			"the trusted comment is not the one that was signed" },
		{ FILE_TEXT, UNTRUSTED HASHED "\ntrusted comment: \n" OF_HASHED, KEY,
			"the trusted comment is not the one that was signed" },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED OF_PLAIN, KEY,
			"the trusted comment is not the one that was signed" },
		{ FILE_TEXT, UNTRUSTED PLAIN "\n" TRUSTED OF_HASHED, KEY,
			"the trusted comment is not the one that was signed" },
		/* no signatures at all */
		{ FILE_TEXT, "", KEY, "not a minisign signature" },
		{ FILE_TEXT, "<!doctype html>", KEY, "not a minisign signature" },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED, KEY, "not a minisign signature" },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED OF_HASHED "more\n", KEY,
			"not a minisign signature" },
		{ FILE_TEXT, UNTRUSTED HASHED "=\n" TRUSTED OF_HASHED, KEY,
			"not a minisign signature" },
		{ FILE_TEXT, UNTRUSTED HASHED " \n" TRUSTED OF_HASHED, KEY,
			"not a minisign signature" },
		{ FILE_TEXT, HASHED "\n" UNTRUSTED TRUSTED OF_HASHED, KEY,
			"not a minisign signature" },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" UNTRUSTED OF_HASHED, KEY,
			"not a minisign signature" },
		{ FILE_TEXT, "\n" UNTRUSTED HASHED "\n" TRUSTED OF_HASHED, KEY,
			"not a minisign signature" },
		/* the algorithm's two letters ("Ee") */
		{ FILE_TEXT,
			UNTRUSTED
			"RWW8ELB47GwqAwQOii60O63C+ev4P1FEVBW5VkcO9J7VY+d+nqi16il97jMa6BBhICuwnp6swn"
			"Yiithxiw7BiykGA8rk6IRUsgQ=\n" TRUSTED OF_PLAIN,
			KEY, "a signature of an unknown algorithm" },
		/* one is taken for the other */
		{ FILE_TEXT,
			UNTRUSTED
			"RUS8ELB47GwqAwQOii60O63C+ev4P1FEVBW5VkcO9J7VY+d+nqi16il97jMa6BBhICuwnp6swn"
			"Yiithxiw7BiykGA8rk6IRUsgQ=\n" TRUSTED OF_PLAIN,
			KEY, "the signature is not of this file" },
		{ FILE_TEXT, UNTRUSTED HASHED "\n" TRUSTED OF_HASHED, "",
			"not a minisign public key" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why;
		verify(slice_of_text(rows[i].file), slice_of_text(rows[i].signature), rows[i].key,
			&why);
		if (!why != !rows[i].why || (why && strcmp(why, rows[i].why) != 0))
			fail_msg("row %zu: %s", i, why ? why : "good");
	}
}

/* Whatever byte of a signature is another one, it holds no more; but for the untrusted comment. */
static void test_each_byte(void **state)
{
	(void)state;
	char text[] = UNTRUSTED HASHED "\n" TRUSTED OF_HASHED;
	size_t comment_at = strlen("untrusted comment: ");
	size_t comment_end = strlen(UNTRUSTED) - 1;
	const char *why;
	for (size_t i = 0; i < strlen(text) - 1; i++) {
		char kept = text[i];
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(kept ^ 1 << bit);
			bool is_free = i >= comment_at && i < comment_end && text[i] != '\n';
			bool good = verify(slice_of_text(FILE_TEXT),
				slice_of(text, sizeof text - 1), KEY, &why);
			if (good != is_free)
				fail_msg("byte %zu, bit %d: %s", i, bit, why ? why : "good");
		}
		text[i] = kept;
	}
	for (size_t len = 0; len < strlen(text) - 1; len++)
		assert_false(verify(slice_of_text(FILE_TEXT), slice_of(text, len), KEY, &why));
	char file[] = FILE_TEXT;
	for (size_t i = 0; i < strlen(file); i++) {
		file[i] = (char)(file[i] ^ 1);
		assert_false(verify(slice_of_text(file), slice_of_text(text), KEY, &why));
		file[i] = (char)(file[i] ^ 1);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	static char text[3 * MINISIGN_SIGNATURE_MAX];
	static char filler[2 * MINISIGN_SIGNATURE_MAX];
	static const struct {
		int untrusted;
		int trusted;
		const char *why;
	} rows[] = {
		{ 1000, 0, NULL },
		{ 1010, 0, "not a minisign signature" },
		{ 0, 8192, "the trusted comment is not the one that was signed" },
		{ 0, 8193, "not a minisign signature" },
		{ 19000, 0, "not a minisign signature" },
		{ 0, 19000, "not a minisign signature" },
	};
	memset(filler, 'x', sizeof filler - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why;
		snprintf(text, sizeof text,
			"untrusted comment: %.*s\n" HASHED "\ntrusted comment: %.*s\n" OF_HASHED,
			rows[i].untrusted, filler, rows[i].trusted ? rows[i].trusted : 9,
			rows[i].trusted ? filler : "edition 1");
		verify(slice_of_text(FILE_TEXT), slice_of_text(text), KEY, &why);
		if (!why != !rows[i].why || (why && strcmp(why, rows[i].why) != 0))
			fail_msg("row %zu: %s", i, why ? why : "good");
	}
}

static void test_keys(void **state)
{
	(void)state;
	assert_true(minisign_key_check(KEY));
	assert_true(minisign_key_check(AUTHOR_KEY));
	assert_false(minisign_key_check(""));
	assert_false(minisign_key_check(KEY "\n"));
	assert_false(minisign_key_check(" " KEY));
	assert_false(minisign_key_check(&KEY[4]));
	assert_false(minisign_key_check("untrusted comment: minisign public key"));
	/* a signature, or the key of another algorithm, is none */
	assert_false(minisign_key_check(HASHED));
	assert_false(
		minisign_key_check("RUS8ELB47GwqAyJqYoqtucGOC5jtIPmZChz2WJOYmbBYefWePC5Nfmyj"));
}

/* --- what minisign itself makes today --- */

static struct slice read_file(const char *directory, const char *name)
{
	static char bytes[4][MINISIGN_SIGNATURE_MAX];
	static unsigned turn;
	char *to = bytes[turn++ % 4];
	char path[256];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t len = fread(to, 1, MINISIGN_SIGNATURE_MAX - 1, file);
	fclose(file);
	to[len] = '\0';
	return slice_of(to, len);
}

/* The second line of a public key's file. */
static const char *key_of(struct slice file)
{
	char *line = strchr((char *)(uintptr_t)file.at, '\n') + 1;
	*strchr(line, '\n') = '\0';
	return line;
}

static void run(const char *directory, const char *command)
{
	char line[1024];
	snprintf(line, sizeof line, "cd '%s' && %s", directory, command);
	assert_int_equal(system(line), 0);
}

static void test_minisign(void **state)
{
	(void)state;
	char directory[] = "/tmp/minisign_test.XXXXXX";
	const char *why;
	if (system("command -v minisign >/dev/null") != 0) {
		print_message("skipped: there is no minisign here\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	run(directory,
		"minisign -G -W -p key.pub -s key >/dev/null && "
		"head -c 5000 /dev/urandom >file && : >empty && "
		"minisign -S -s key -m file -x hashed && minisign -S -l -s key -m file -x plain && "
		"minisign -S -s key -m empty -x of-empty && "
		"minisign -S -l -s key -m empty -x of-empty-plain");
	struct slice file = read_file(directory, "file");
	char key[128];
	snprintf(key, sizeof key, "%s", key_of(read_file(directory, "key.pub")));
	assert_true(minisign_key_check(key));
	assert_true(verify(file, read_file(directory, "hashed"), key, &why));
	assert_true(verify(file, read_file(directory, "plain"), key, &why));
	assert_true(verify(slice_of(NULL, 0), read_file(directory, "of-empty"), key, &why));
	assert_true(verify(slice_of(NULL, 0), read_file(directory, "of-empty-plain"), key, &why));
	assert_false(
		verify(slice_of(file.at, file.len - 1), read_file(directory, "hashed"), key, &why));
	assert_false(verify(file, read_file(directory, "of-empty"), key, &why));
	run(directory, "rm -f key key.pub file empty hashed plain of-empty of-empty-plain");
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_minisign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
