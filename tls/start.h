/* start.h - before anything else of tls/: once, in the main thread. */
#ifndef TLS_START_H
#define TLS_START_H

#include <stdbool.h>

/* Has OpenSSL what it needs to begin? What it could not get then it does not ask for again, and
 * later it uses it all the same. False: the program must end. */
bool tls_start(void);

#endif
