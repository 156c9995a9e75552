/* tls_context_reload(): each part by itself, and nothing when nothing has changed. */
#include "tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/tls_fixture.h"

enum { PATHS = 6, DAY = 86400 };

static struct fixture_directory directory;
static struct tls_ticket_keys *keys;
static struct fixture_certificate ca;
static char paths[PATHS][128];
static struct tls_certificate_files pairs[2];
static struct tls_context_files files;

static void write_pair(const char *name, const char *alt_names, long from_s, long to_s)
{
	char file[32];
	struct fixture_certificate leaf =
		fixture_issue_for(alt_names, "EC", "localhost", &ca, from_s, to_s);
	const struct fixture_certificate *chain[] = { &leaf, &ca };
	snprintf(file, sizeof file, "%s.pem", name);
	fixture_write_chain(&directory, file, chain, 2);
	snprintf(file, sizeof file, "%s.key", name);
	fixture_write_key(&directory, file, leaf.key, NULL);
	fixture_drop(&leaf);
}

static void write_tickets(char first)
{
	uint8_t bytes[80];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(first + (char)i);
	fixture_write(&directory, "tickets", bytes, sizeof bytes);
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[PATHS] = { "a.pem", "a.key", "b.pem", "b.key", "ca.pem",
		"tickets" };
	directory = fixture_directory_make();
	keys = tls_ticket_keys_new();
	ca = fixture_issue("EC", "test CA", NULL, -60, DAY);
	for (size_t i = 0; i < PATHS; i++)
		fixture_path(&directory, names[i], paths[i]);
	pairs[0] = (struct tls_certificate_files){ .certificate = paths[0], .key = paths[1] };
	pairs[1] = (struct tls_certificate_files){ .certificate = paths[2], .key = paths[3] };
	files = (struct tls_context_files){ .certificates = pairs,
		.certificate_count = 2,
		.client_ca = paths[4],
		.ticket_keys = paths[5] };
	const struct fixture_certificate *authority[] = { &ca };
	fixture_write_chain(&directory, "ca.pem", authority, 1);
	write_pair("a", "DNS:a.example", -60, DAY);
	write_pair("b", "DNS:b.example", -60, 2 * DAY);
	write_tickets('0');
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_drop(&ca);
	tls_ticket_keys_free(keys);
	fixture_remove(&directory);
	return 0;
}

static struct tls_context *load(void)
{
	char message[TLS_MESSAGE_MAX];
	struct tls_context *context = tls_context_load_files(&files, NULL, keys, message);
	if (!context)
		fail_msg("%s", message);
	return context;
}

static char told[2048];

static void on_problem(void *context, const char *message)
{
	(void)context;
	size_t len = strlen(told);
	snprintf(told + len, sizeof told - len, "%s|", message);
}

static struct tls_context *reload(struct tls_context *before)
{
	const struct tls_problems problems = { .on_problem = on_problem };
	told[0] = '\0';
	return tls_context_reload(before, &files, keys, &problems);
}

static int64_t end_of(const struct tls_context *context, size_t index)
{
	return tls_context_certificate(context, index).not_after_s;
}

static void test_nothing_has_changed(void **state)
{
	(void)state;
	struct tls_context *before = load();
	struct tls_context *after = reload(before);
	assert_ptr_equal(before, after);
	assert_string_equal(told, "");
	tls_context_unref(before);
	tls_context_unref(after);
}

static void test_one_changes_and_one_breaks(void **state)
{
	(void)state;
	struct tls_context *before = load();
	write_pair("a", "DNS:a.example", -60, 3 * DAY);
	fixture_write(&directory, "b.key", "x", 1);
	struct tls_context *after = reload(before);
	assert_ptr_not_equal(before, after);
	assert_int_equal(tls_context_certificate_count(after), 2);
	assert_true(end_of(after, 0) > end_of(before, 0) + DAY);
	assert_int_equal(end_of(after, 1), end_of(before, 1));
	assert_non_null(strstr(told, "b.key\": not PEM|"));
	assert_null(strstr(told, "a.pem"));
	/* It is told each time, and there is nothing new. */
	struct tls_context *again = reload(after);
	assert_ptr_equal(again, after);
	assert_non_null(strstr(told, "b.key\": not PEM|"));
	tls_context_unref(before);
	tls_context_unref(after);
	tls_context_unref(again);
}

static void test_all_break(void **state)
{
	(void)state;
	struct tls_context *before = load();
	for (size_t i = 0; i < PATHS; i++)
		unlink(paths[i]);
	struct tls_context *after = reload(before);
	assert_ptr_equal(before, after);
	size_t count = 0;
	for (const char *at = told; (at = strstr(at, "No such file")); at++)
		count++;
	assert_int_equal(count, 4);
	tls_context_unref(before);
	tls_context_unref(after);
}

static void test_tickets_and_authorities_alone(void **state)
{
	(void)state;
	struct tls_context *before = load();
	write_tickets('1');
	struct tls_context *after = reload(before);
	assert_ptr_not_equal(before, after);
	assert_true(tls_context_same_clients(before, after));
	struct fixture_certificate other = fixture_issue("EC", "other CA", NULL, -60, DAY);
	const struct fixture_certificate *both[] = { &ca, &other };
	fixture_write_chain(&directory, "ca.pem", both, 2);
	struct tls_context *last = reload(after);
	assert_false(tls_context_same_clients(after, last));
	assert_string_equal(told, "");
	fixture_drop(&other);
	tls_context_unref(before);
	tls_context_unref(after);
	tls_context_unref(last);
}

static void test_dates(void **state)
{
	(void)state;
	static const struct {
		long from_s, to_s;
		const char *says;
	} rows[] = {
		{ -7200, -3600, "has expired, and the one in force is good" },
		{ 3600, 7200, "is not valid yet, and the one in force is good" },
	};
	struct tls_context *good = load();
	char message[TLS_MESSAGE_MAX];
	for (size_t i = 0; i < 2; i++) {
		write_pair("a", "DNS:a.example", rows[i].from_s, rows[i].to_s);
		struct tls_context *after = reload(good);
		assert_ptr_equal(good, after);
		assert_non_null(strstr(told, rows[i].says));
		tls_context_unref(after);
		assert_null(tls_context_load_files(&files, good, keys, message));
		assert_non_null(strstr(message, rows[i].says));
		/* In the place of nothing, or of one that is no better, it will do. */
		struct tls_context *over = load();
		write_pair("a", "DNS:a.example", rows[i].from_s, rows[i].to_s + 1);
		struct tls_context *next = reload(over);
		assert_ptr_not_equal(over, next);
		assert_string_equal(told, "");
		tls_context_unref(over);
		tls_context_unref(next);
	}
	tls_context_unref(good);
}

/* With other files it is another thing. */
static void test_other_files(void **state)
{
	(void)state;
	struct tls_context *good = load();
	char message[TLS_MESSAGE_MAX];
	write_pair("a", "DNS:a.example", -7200, -3600);
	assert_int_equal(rename(paths[0], paths[4]), 0);
	struct tls_certificate_files moved = { .certificate = paths[4], .key = paths[1] };
	struct tls_context_files others = { .certificates = &moved, .certificate_count = 1 };
	struct tls_context *after = tls_context_load_files(&others, good, keys, message);
	assert_non_null(after);
	tls_context_unref(after);
	tls_context_unref(good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_has_changed),
		TEST(test_one_changes_and_one_breaks),
		TEST(test_all_break),
		TEST(test_tickets_and_authorities_alone),
		TEST(test_dates),
		TEST(test_other_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
