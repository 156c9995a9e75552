#include "tests/unit/list_fixture.h"

static void check_text(struct slice text, const char *expected)
{
	enum list_format format = LIST_FORMAT_COUNT;
	uint8_t *copy = malloc(text.len ? text.len : 1);
	assert_non_null(copy);
	memcpy(copy, text.at, text.len);
	bool recognised = list_recognise(slice_of(copy, text.len), &format);
	free(copy);
	const char *found = recognised ? list_format_name(format) : "none";
	if (strcmp(found, expected) != 0)
		fail_msg("\"%.*s\" is taken for %s, not %s", (int)(text.len < 80 ? text.len : 80),
			(const char *)text.at, found, expected);
}

static void test_formats(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *format;
	} rows[] = {
		{ "0.0.0.0 a.example\n", "hosts" },
		{ "# title\n127.0.0.1\tlocalhost\r\n::1 localhost\r\n"
		  "0.0.0.0 a.example b.example\r\n",
			"hosts" },
		{ "\xef\xbb\xbf"
		  "0.0.0.0 a.example",
			"hosts" },
		{ "||a.example^\n", "adblock" },
		{ "[Adblock Plus 2.0]\n! Title\n||a.example^$all\n@@||b.example^\n", "adblock" },
		{ "! Title\n||a.example^\n0.0.0.0 b.example\n", "adblock" },
		{ "example.com##.ad\n||a.example/x^\n", "adblock" },
		{ "address=/a.example/#\n", "dnsmasq" },
		{ "# t\nserver=/a.example/\nlocal=/b.example/\nno-resolv\n", "dnsmasq" },
		{ "server:\nlocal-zone: \"a.example\" static\n", "unbound" },
		{ "local-data: \"a.example A 0.0.0.0\"\n", "unbound" },
		{ "zone \"a.example\" { type master; file \"x\"; };\n", "bind" },
		{ "// t\nzone \"a.example\" IN {\n\ttype primary;\n\tfile \"x\";\n};\n", "bind" },
		{ "/* t */\nzone \"a.example\"\n{\n"
		  "\ttype master;\n\tnotify no;\n\tfile \"x\";\n};\n",
			"bind" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_text(slice_of_text(rows[i].text), rows[i].format);
}

/* What looks alike, says nothing, or is no list. */
static void test_none(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"\n\n",
		"# only comments\n",
		"! only comments\n",
		"a.example\nb.example\n",
		"*.a.example\n*.b.example\n",
		"=a.example\nads.*\n",
		"! Title\na.example\n",
		"0.0.0.0\n0.0.0.0\n",
		"192.0.2.1\n198.51.100.0/24\n",
		"<!DOCTYPE html>\n<html>\n<head><title>404</title></head>\n<body>\n</body>\n",
		"<html><body>||a.example^</body></html>\n",
		"{\n  \"a\": [ \"b\" ]\n}\n",
		"a,b,c\n1,2,3\n",
		"404: Not Found\n",
		"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
		/* two at once */
		"0.0.0.0 a.example\n||b.example^\naddress=/c.example/#\n",
		"address=/a.example/#\nlocal-zone: \"a.example\" static\n",
		"||a.example^\nb.example\nc.example\nd.example\n",
		"server:\nverbosity: 1\n",
		"options {\n};\n",
		"no-resolv\nbogus-priv\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check_text(slice_of_text(texts[i]), "none");
	check_text(slice_of("\0\0\0\n\0", 5), "none");
}

/* One line in twenty may be anything; only the front is looked at. */
static void test_some_strangers(void **state)
{
	(void)state;
	static char text[1 << 20];
	for (unsigned every = 1; every < 60; every += 3) {
		size_t len = 0;
		for (unsigned i = 1; i <= 300; i++)
			len += (size_t)sprintf(text + len, "%s\n",
				i % every ? "0.0.0.0 a.example" : "this is no line of hosts");
		check_text(slice_of(text, len), 300 / every <= 300 / 20 ? "hosts" : "none");
	}
	size_t len = 0;
	for (unsigned i = 0; i < 20000; i++)
		len += (size_t)sprintf(
			text + len, "%s\n", i < 400 ? "0.0.0.0 a.example" : "||a.example^");
	check_text(slice_of(text, len), "hosts");
	/* One endless line, and comments without an end. */
	memset(text, 'x', sizeof text);
	check_text(slice_of(text, sizeof text), "none");
	memset(text, '#', sizeof text);
	check_text(slice_of(text, sizeof text), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_some_strangers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
