/* null.c - answers without any DNS work: the floor for whoever uses the same kernel, OpenSSL and
 * nghttp2. Every question gets its own bytes back, with one fixed address.
 *
 *   null udp PORT
 *   null dot|doh PORT CERTIFICATE KEY
 *
 * One thread, on 127.0.0.1, until it is ended. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/many_files.h"
#include "bench/null/null.h"

int main(int argc, char **argv)
{
	uint16_t port = argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;

	signal(SIGPIPE, SIG_IGN);
	allow_many_files();
	if (argc == 3 && !strcmp(argv[1], "udp"))
		null_serve_udp(port);
	if (argc == 5 && (!strcmp(argv[1], "dot") || !strcmp(argv[1], "doh")))
		null_serve_tls(port, !strcmp(argv[1], "doh"), argv[3], argv[4]);
	fputs("usage: null udp PORT | null dot|doh PORT CERTIFICATE KEY\n", stderr);
	return 2;
}
