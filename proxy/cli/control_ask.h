/* control_ask.h - what the verbs that tell the running program something have in common: where its
 * control socket is, and how to say that nobody listens there. */
#ifndef PROXY_CLI_CONTROL_ASK_H
#define PROXY_CLI_CONTROL_ASK_H

#include "proxy/control/control_client.h"

/* Says a line over the control socket that the configuration file names. EXIT_FINE and the answer,
 * which lives until the next call, or another exit_code after a message. */
int cli_control_ask(const char *config_file, const char *line, struct slice *lines);

/* The same at a socket that is known. */
int cli_control_say(const char *path, const char *line, struct slice *lines);

#endif
