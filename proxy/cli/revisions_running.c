#include "proxy/cli/revisions_running.h"

#include <stdio.h>

#include "proxy/control/control_client.h"

static bool read_running(struct running *to, struct slice line)
{
	char text[256], pinned[4], loading[4];
	if (line.len >= sizeof text)
		return false;
	memcpy(text, line.at, line.len);
	text[line.len] = '\0';
	if (sscanf(text, "revision %u kept %u pinned %3s loading %3s asked %u came %u policy %32s",
		    &to->revision, &to->kept, pinned, loading, &to->asked, &to->came,
		    to->policy_hash) != 7)
		return false;
	to->is_pinned = strcmp(pinned, "yes") == 0;
	to->is_loading = strcmp(loading, "yes") == 0;
	return true;
}

bool cli_revisions_running(const char *socket, struct running *running)
{
	static uint8_t buffer[CONTROL_ANSWER_MAX];
	struct control_answer answer;
	memset(running, 0, sizeof *running);
	return socket && control_client_ask(socket, "revisions status", buffer, &answer) == 0 &&
		answer.error.len == 0 && read_running(running, answer.lines);
}
