#include "proxy/cli/control_ask.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
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

int cli_control_ask(const char *config_file, const char *line, struct slice *lines)
{
	struct config_errors errors = { 0 };
	int code = EXIT_FAILED;
	config_errors_to_stderr(&errors);
	struct config *config = config_load(config_file, &errors);
	if (!config)
		return EXIT_CONFIG;
	if (config->control_socket)
		code = cli_control_say(config->control_socket, line, lines);
	else
		fprintf(stderr, "namegate: %s: no control_socket is configured\n", config->file);
	config_free(config);
	return code;
}
