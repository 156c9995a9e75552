/* explain_running.h - has the running program explain, over its control socket, page by page. */
#ifndef PROXY_CLI_EXPLAIN_RUNNING_H
#define PROXY_CLI_EXPLAIN_RUNNING_H

#include "proxy/explain/explain.h"

/* As the command line has it; NULL is not given. */
struct explain_request {
	const char *name;
	const char *type;
	const char *client;
	const char *view;
	const char *listener;
	struct slice answer; /* a message; empty: none */
	bool is_live;
	const struct claims *claims; /* certificate, token, path, TLS name */
};

/* Fills an empty trace. EXIT_FINE, or another exit_code after a message. */
int cli_explain_running(
	const char *socket, const struct explain_request *request, struct trace *trace);

/* The exceptions that a trace tells of; NULL when there are none, or out of memory. */
struct exceptions *cli_explain_exceptions(const struct trace *trace);

#endif
