/* server.h - the whole program while it runs: the main thread's loop with signals, admin listener
 * and reloads; the workers; what they share. */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

/* Serves until TERM or INT. Gives an exit_code. */
int server_run(const char *file);

#endif
