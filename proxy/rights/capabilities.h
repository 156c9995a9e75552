/* capabilities.h - what of root's rights a thread keeps (capabilities(7)). */
#ifndef PROXY_RIGHTS_CAPABILITIES_H
#define PROXY_RIGHTS_CAPABILITIES_H

#include <stdint.h>

/* A set: one bit for each CAP_ of linux/capability.h. */
#define CAPABILITY(number) (UINT64_C(1) << (number))

/* No program that is started from now on gets others. Needs CAP_SETPCAP; without it the set stays
 * as it was, which is whatever our starter meant it to be. Of the calling thread and of those that
 * it starts later, as everything here. */
void capabilities_bound(uint64_t most);

/* Keeps of what the thread has no more than this; none is inherited by programs. 0 or -errno. */
int capabilities_keep(uint64_t most);

/* The ones that the thread has and uses. */
uint64_t capabilities_now(void);

#endif
