#include "proxy/cli/control_ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/number.h"
#include "proxy/cli/cli.h"
#include "proxy/config.h"

static const char *meaning_of(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED: return "nobody listens there: is namegate running?";
	case -EACCES:
	case -EPERM: return "not permitted: be root, or the user that namegate runs as";
	case ERR_MALFORMED: return "the answer was cut off";
	default: return error_text(error);
	}
}

int cli_control_say(const char *path, const char *line, struct slice *lines)
{
	static uint8_t buffer[CONTROL_ANSWER_MAX];
	struct control_answer answer;
	int error = control_client_ask(path, line, buffer, &answer);
	if (error) {
		fprintf(stderr, "namegate: control socket %s: %s\n", path, meaning_of(error));
		return EXIT_FAILED;
	}
	*lines = answer.lines;
	if (answer.error.len == 0)
		return EXIT_FINE;
	fprintf(stderr, "namegate: %.*s\n", (int)answer.error.len, (const char *)answer.error.at);
	return EXIT_FAILED;
}

/* The configuration file's; it is loaded as a whole, so that what is wrong with it is told. */
static int find_in_config(const char *config_file, char path[PATH_MAX])
{
	struct config_errors errors = { 0 };
	config_errors_to_stderr(&errors);
	struct config *config = config_load(config_file, &errors);
	if (!config)
		return EXIT_CONFIG;
	int code = config->control_socket ? EXIT_FINE : EXIT_FAILED;
	if (code == EXIT_FINE)
		snprintf(path, PATH_MAX, "%s", config->control_socket);
	else
		fprintf(stderr, "namegate: %s: no control_socket is configured\n", config->file);
	config_free(config);
	return code;
}

int cli_control_find(const char *file, char path[PATH_MAX])
{
	struct stat about;
	if (stat(file, &about) < 0 || !S_ISSOCK(about.st_mode))
		return find_in_config(file, path);
	snprintf(path, PATH_MAX, "%s", file);
	return EXIT_FINE;
}

int cli_control_ask(const char *file, const char *line, struct slice *lines)
{
	char path[PATH_MAX];
	int code = cli_control_find(file, path);
	return code ? code : cli_control_say(path, line, lines);
}

/* Takes the last line, "next NUMBER", off; false when it is another. */
static bool take_next(struct slice *lines, uint64_t *next)
{
	static const char word[] = "next ";
	enum { WORD_LEN = sizeof word - 1 };
	char number[16];
	size_t end = lines->len ? lines->len - 1 : 0, start = end;
	while (start > 0 && lines->at[start - 1] != '\n')
		start--;
	struct slice line = slice_of(lines->at + start, end - start);
	if (line.len <= WORD_LEN || line.len - WORD_LEN >= sizeof number ||
		memcmp(line.at, word, WORD_LEN) != 0)
		return false;
	memcpy(number, line.at + WORD_LEN, line.len - WORD_LEN);
	number[line.len - WORD_LEN] = '\0';
	lines->len = start;
	return number_parse(number, 0, UINT32_MAX, next);
}

int cli_control_print_pages(
	const char *file, const char *verb, enum control_first_line first_line, unsigned pages_max)
{
	char path[PATH_MAX];
	uint64_t from = 0, next;
	int code = cli_control_find(file, path);
	if (code)
		return code;
	for (unsigned page = 0; page < pages_max; page++) {
		char line[CONTROL_LINE_MAX];
		struct slice lines;
		snprintf(line, sizeof line, "%s %" PRIu64, verb, from);
		code = cli_control_say(path, line, &lines);
		if (code)
			return code;
		if (first_line == CONTROL_FIRST_LINE_DROPPED)
			slice_take_line(&lines);
		if (!take_next(&lines, &next) || (next && next <= from))
			break;
		fwrite(lines.at, 1, lines.len, stdout);
		if (next == 0)
			return EXIT_FINE;
		from = next;
	}
	fputs("namegate: the answer is not understood\n", stderr);
	return EXIT_FAILED;
}
