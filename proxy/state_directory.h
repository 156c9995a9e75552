/* state_directory.h - a state directory belongs to one running program: two write over what the
 * other has kept, and each finds the other's exceptions after a restart. */
#ifndef PROXY_STATE_DIRECTORY_H
#define PROXY_STATE_DIRECTORY_H

/* Makes it ours until the process ends, and logs an error when it is another's: whoever takes over
 * from a program that is on its way out must not be kept from it. "": there is none. */
void state_directory_claim(const char *path);

#endif
