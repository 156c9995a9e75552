/* version.h - which c-ares is loaded. */
#ifndef PROXY_UPSTREAM_VERSION_H
#define PROXY_UPSTREAM_VERSION_H

/* "1.18.1". */
const char *upstream_library_version(void);

#endif
