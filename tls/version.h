/* version.h - which OpenSSL is loaded. */
#ifndef TLS_VERSION_H
#define TLS_VERSION_H

/* "3.0.22". */
const char *tls_library_version(void);

#endif
