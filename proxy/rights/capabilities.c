#include "proxy/rights/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAPABILITIES_MAX = 64 };

/* As the kernel hands them over: two words of each. */
struct sets {
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static int get(struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, &header, sets->words) ? -errno : 0;
}

static int set(const struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capset, &header, sets->words) ? -errno : 0;
}

void capabilities_bound(uint64_t most)
{
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++)
		if (!(most & CAPABILITY(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return; /* the kernel knows no more, or we may not */
}

int capabilities_keep(uint64_t most)
{
	struct sets sets;
	/* Kernels without ambient ones have none to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return -errno;
	int error = get(&sets);
	if (error)
		return error;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets.words[i].permitted &= (uint32_t)(most >> (32 * i));
		sets.words[i].effective = sets.words[i].permitted;
		sets.words[i].inheritable = 0;
	}
	return set(&sets);
}

uint64_t capabilities_now(void)
{
	struct sets sets;
	if (get(&sets))
		return 0;
	return sets.words[0].effective | (uint64_t)sets.words[1].effective << 32;
}
