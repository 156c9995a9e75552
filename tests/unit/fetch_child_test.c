/* Children that are shell scripts: what they are given, and every way in which they can end. */
#include "proxy/lists/fetch_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <fcntl.h>

enum { PATIENT_MS = 60000, SHORT_MS = 100 };

static struct {
	char directory[64];
	char program[96];
	FILE *body;
	uv_loop_t loop;
	struct fetch_wish wish;
	unsigned calls;
	struct fetch_report report;
} t;

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	snprintf(t.directory, sizeof t.directory, "/tmp/fetch_child_test.XXXXXX");
	assert_non_null(mkdtemp(t.directory));
	snprintf(t.program, sizeof t.program, "%s/child", t.directory);
	t.body = tmpfile();
	assert_non_null(t.body);
	/* As whoever fetches opens it: else the child has it twice. */
	assert_int_equal(fcntl(fileno(t.body), F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(uv_loop_init(&t.loop), 0);
	t.wish = (struct fetch_wish){ .program = t.program,
		.config_file = "some.conf",
		.list = "bad",
		.body_fd = fileno(t.body),
		.signature_fd = -1,
		.timeout_ms = PATIENT_MS };
	return 0;
}

/* Nothing of a child is left on the loop. */
static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(uv_run(&t.loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	fclose(t.body);
	unlink(t.program);
	rmdir(t.directory);
	return 0;
}

static void on_done(void *context, const struct fetch_report *report)
{
	assert_ptr_equal(context, &t);
	t.calls++;
	t.report = *report;
}

static void write_script(const char *script)
{
	FILE *file = fopen(t.program, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(t.program, 0700), 0);
}

static struct fetch_child *start(void)
{
	int error = 1;
	struct fetch_child *child = fetch_child_start(&t.loop, &t.wish, on_done, &t, &error);
	assert_int_equal(error, 0);
	assert_non_null(child);
	assert_int_equal(t.calls, 0);
	return child;
}

static void run_script(const char *script)
{
	write_script(script);
	start();
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.calls, 1);
}

static const char *body(void)
{
	static char text[4096];
	rewind(t.body);
	size_t len = fread(text, 1, sizeof text - 1, t.body);
	text[len] = '\0';
	return text;
}

#define REPORT(fault, why)                                                                         \
	"printf 'fault " fault "\\nnot-modified no\\nbody-len 5\\netag \"x\"\\nlast-modified \\n"  \
	"content-type text/plain\\nwhy " why "\\n'\n"

static void a_report_is_handed_on(void **state)
{
	(void)state;
	run_script("printf abcde >&3\n" REPORT("none", ""));
	assert_int_equal(t.report.fault, LIST_FAULT_NONE);
	assert_int_equal(t.report.body_len, 5);
	assert_string_equal(t.report.etag, "\"x\"");
	assert_string_equal(t.report.content_type, "text/plain");
	assert_string_equal(body(), "abcde");
}

static void a_fault_is_handed_on(void **state)
{
	(void)state;
	run_script(REPORT("redirect", "it went away"));
	assert_int_equal(t.report.fault, LIST_FAULT_REDIRECT);
	assert_string_equal(t.report.why, "it went away");
}

/* In pieces, with pauses. */
static void a_slow_report_is_whole(void **state)
{
	(void)state;
	run_script("printf 'fault none\\nnot-mod'\nsleep 0.1\n"
		   "printf 'ified no\\nbody-len 0\\netag \\nlast-modified \\ncontent-type \\nwhy'\n"
		   "sleep 0.1\nprintf ' \\n'");
	assert_int_equal(t.report.fault, LIST_FAULT_NONE);
}

static void it_is_told_what_to_do(void **state)
{
	(void)state;
	t.wish.etag = "W/\"a b\"";
	run_script("for word; do printf '%s|' \"$word\"; done >&3\n" REPORT("none", ""));
	assert_string_equal(body(), "-c|some.conf|--list|bad|--etag|W/\"a b\"|--last-modified||");
}

/* No environment but what the shell makes itself, nothing to read, and no descriptors of ours. */
static void it_has_only_what_it_needs(void **state)
{
	(void)state;
	setenv("https_proxy", "http://192.0.2.1:3128", 1);
	run_script("env | grep -v -e ^PWD= -e ^_= -e ^OLDPWD= -e ^SHLVL= >&3\n"
		   "readlink /proc/$$/fd/0 >&3\n"
		   "[ -e /proc/$$/fd/4 ] && echo four >&3\n" REPORT("none", ""));
	unsetenv("https_proxy");
	assert_string_equal(body(), "/dev/null\n");
}

static void a_signature_has_a_place(void **state)
{
	(void)state;
	FILE *signature = tmpfile();
	char text[16] = { 0 };
	t.wish.signature_fd = fileno(signature);
	run_script("printf body >&3\nprintf sig >&4\n" REPORT("none", ""));
	rewind(signature);
	assert_int_equal(fread(text, 1, sizeof text - 1, signature), 3);
	fclose(signature);
	assert_string_equal(text, "sig");
	assert_string_equal(body(), "body");
}

static void every_bad_end_has_a_report(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		enum list_fault fault;
		const char *why;
	} rows[] = {
		{ ":", LIST_FAULT_INTERNAL, "did not report in full" },
		{ "echo hello", LIST_FAULT_INTERNAL, "did not report in full" },
		{ "printf 'fault none\\nnot-modified no\\n'", LIST_FAULT_INTERNAL,
			"did not report in full" },
		{ REPORT("none", "") "echo more", LIST_FAULT_INTERNAL, "did not report in full" },
		/* a pipe's worth is more than a report; it is killed, not waited for */
		{ "while :; do echo y; done", LIST_FAULT_INTERNAL, "signal 9" },
		{ REPORT("none", "") "exit 3", LIST_FAULT_INTERNAL, "status 3" },
		{ REPORT("none", "") "kill -SEGV $$", LIST_FAULT_INTERNAL, "signal 11" },
		{ REPORT("none", "") "kill -ALRM $$", LIST_FAULT_TIMEOUT, "hung" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		t.calls = 0;
		run_script(rows[i].script);
		assert_int_equal(t.report.fault, rows[i].fault);
		if (!strstr(t.report.why, rows[i].why))
			fail_msg("row %zu: %s", i, t.report.why);
	}
}

static void what_hangs_is_killed(void **state)
{
	(void)state;
	static const char *const scripts[] = {
		"exec sleep 600",
		"exec >&-; exec sleep 600",
		REPORT("none", "") "exec sleep 600",
		"trap '' TERM INT HUP ALRM; exec sleep 600",
	};
	t.wish.timeout_ms = SHORT_MS;
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		t.calls = 0;
		run_script(scripts[i]);
		assert_int_equal(t.report.fault, LIST_FAULT_TIMEOUT);
	}
}

static void cancelled_means_silence(void **state)
{
	(void)state;
	write_script("exec sleep 600");
	fetch_child_cancel(start());
	uv_run(&t.loop, UV_RUN_DEFAULT);
	struct fetch_child *child = start();
	uv_run(&t.loop, UV_RUN_NOWAIT);
	fetch_child_cancel(child);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.calls, 0);
}

static void nobody_to_start(void **state)
{
	(void)state;
	int error = 0;
	assert_null(fetch_child_start(&t.loop, &t.wish, on_done, &t, &error));
	assert_int_equal(error, UV_ENOENT);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	write_script("");
	chmod(t.program, 0600);
	assert_null(fetch_child_start(&t.loop, &t.wish, on_done, &t, &error));
	assert_int_equal(error, UV_EACCES);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.calls, 0);
}

int main(void)
{
	uv_disable_stdio_inheritance(); /* what we were started with, as the server does */
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_report_is_handed_on),
		TEST(a_fault_is_handed_on),
		TEST(a_slow_report_is_whole),
		TEST(it_is_told_what_to_do),
		TEST(it_has_only_what_it_needs),
		TEST(a_signature_has_a_place),
		TEST(every_bad_end_has_a_report),
		TEST(what_hangs_is_killed),
		TEST(cancelled_means_silence),
		TEST(nobody_to_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
