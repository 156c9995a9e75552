#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/rights/named_files.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/config/schema.h"

#define VECTORS TEST_VECTORS "/config/"

/* The keys that name something else than a file to read: what is written, and directories. */
static const char *const others[] = { "cache.file", "query_log.file", "control_socket",
	"state_directory" };

struct seen {
	const char *files[64];
	size_t count;
	size_t most;
};

static bool see(void *context, const char *path)
{
	struct seen *seen = context;
	assert_true(seen->count < 64);
	seen->files[seen->count] = strdup(path);
	assert_non_null(seen->files[seen->count++]);
	return seen->count < seen->most;
}

static bool has(const struct seen *seen, const char *end)
{
	for (size_t i = 0; i < seen->count; i++) {
		size_t len = strlen(seen->files[i]), end_len = strlen(end);
		if (len >= end_len && strcmp(seen->files[i] + len - end_len, end) == 0)
			return true;
	}
	return false;
}

static void forget(struct seen *seen)
{
	while (seen->count > 0)
		free((char *)(uintptr_t)seen->files[--seen->count]);
}

static struct config *load(const char *text)
{
	struct config_errors errors = { 0 };
	config_errors_to_stderr(&errors);
	struct config *config = config_load_text("conf", slice_of_text(text), &errors);
	assert_non_null(config);
	return config;
}

/* One of each; what a test of the schema below asks for is in it. */
static const char everything[] =
	"listeners = ( { protocol = \"doh\"; address = \"127.0.0.1\"; } );"
	"views = ( { name = \"all\"; log_clients = \"hashed\"; } );"
	"tls = { certificate = \"tls.certificate\"; key = \"tls.key\";"
	"  ocsp_response = \"tls.ocsp_response\"; ticket_key_file = \"tls.ticket_key_file\";"
	"  client_ca = \"tls.client_ca\"; client_crl = \"tls.client_crl\"; };"
	"upstreams = ( { name = \"u\"; protocol = \"dot\"; address = \"192.0.2.1\";"
	"  tls_name = \"u.example\"; tls_ca = \"upstreams[].tls_ca\"; } );"
	"domain_lists = ( { name = \"a\"; file = \"domain_lists[].file\"; },"
	"  { name = \"b\"; source = \"https://l.example/\";"
	"    tls_ca = \"domain_lists[].tls_ca\"; } );"
	"dns_cookies = { secret_file = \"dns_cookies.secret_file\"; };"
	"shadow = { file = \"shadow.file\"; };"
	"query_log = { file = \"-\"; hash_key_file = \"query_log.hash_key_file\"; };"
	"state_directory = \"s\";";
static const char image[] = "listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"
			    "views = ( { name = \"all\"; } ); lists_image = \"lists_image\";";
static const char several[] =
	"listeners = ( { protocol = \"doh\"; address = \"127.0.0.1\"; } );"
	"views = ( { name = \"all\"; } );"
	"tls = { certificates = ("
	"  { certificate = \"x\"; key = \"y\"; },"
	"  { certificate = \"tls.certificates[].certificate\"; key = \"tls.certificates[].key\";"
	"    ocsp_response = \"tls.certificates[].ocsp_response\"; } ); };";

/* A new key of a file that nobody may read once the files are given up would be found by users. */
static void test_every_key_is_seen(void **state)
{
	static const char *const texts[] = { everything, image, several };
	struct seen seen = { .most = SIZE_MAX };
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct config *config = load(texts[i]);
		assert_true(named_files_all(config, see, &seen));
		config_free(config);
	}
	for (size_t i = 0; i < schema_key_count; i++) {
		bool other = schema_keys[i].type != SCHEMA_FILE;
		for (size_t j = 0; j < sizeof others / sizeof *others; j++)
			other |= strcmp(schema_keys[i].path, others[j]) == 0;
		if (!other && !has(&seen, schema_keys[i].path))
			fail_msg("%s is not among the files that are read", schema_keys[i].path);
	}
	assert_false(has(&seen, "-"));
	forget(&seen);
}

static void test_included_files(void **state)
{
	struct config_errors errors = { 0 };
	struct seen seen = { .most = SIZE_MAX };
	(void)state;
	config_errors_to_stderr(&errors);
	struct config *config = config_load(VECTORS "include.conf", &errors);
	assert_non_null(config);
	assert_true(named_files_all(config, see, &seen));
	assert_true(has(&seen, "include.conf"));
	assert_true(seen.count >= config->file_count && config->file_count > 1);
	config_free(config);
	forget(&seen);
}

static void test_it_ends_with_the_first_bad_one(void **state)
{
	struct config *config = load(everything);
	(void)state;
	for (size_t most = 1; most < 5; most++) {
		struct seen seen = { .most = most };
		assert_false(named_files_all(config, see, &seen));
		assert_int_equal(seen.count, most);
		forget(&seen);
	}
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_is_seen),
		cmocka_unit_test(test_included_files),
		cmocka_unit_test(test_it_ends_with_the_first_bad_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
