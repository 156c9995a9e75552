/* state_directory.h - a state directory belongs to one running program: two write over what the
 * other has kept, and each finds the other's exceptions after a restart. */
#ifndef PROXY_STATE_DIRECTORY_H
#define PROXY_STATE_DIRECTORY_H

#include <stdbool.h>

/* Makes it ours until the process ends; files that a run before began to write and never renamed
 * are removed. Logs an error when it is another's: whoever takes over from a program that is on its
 * way out must not be kept from it. "": there is none. */
void state_directory_claim(const char *path);

/* Does it take what is to be kept there: it is there, may be written to, and its file system has
 * room? Looked at, not tried. "" is false. */
bool state_directory_is_writable(const char *path);

#endif
