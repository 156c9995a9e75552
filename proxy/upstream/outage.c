#include "proxy/upstream/outage.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "proxy/config.h"

enum { NAME_MAX_LEN = 63 };

struct outage {
	char name[NAME_MAX_LEN + 1]; /* cut: such long ones may share a place */
	bool is_down;                /* said last */
	uint64_t since_ms;
	struct log_rate rate;
	const char *reason; /* said last; NULL: none since it is back */
	uint64_t reason_ms;
	struct log_rate reason_rate;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct outage outages[CONFIG_UPSTREAMS_MAX];
static unsigned next_place;

/* One that was never heard of is up. The oldest goes when there are too many names, after reloads.
 */
static struct outage *find(const char *name)
{
	for (unsigned i = 0; i < CONFIG_UPSTREAMS_MAX; i++) {
		if (strncmp(outages[i].name, name, NAME_MAX_LEN) == 0)
			return &outages[i];
	}
	struct outage *outage = &outages[next_place++ % CONFIG_UPSTREAMS_MAX];
	memset(outage, 0, sizeof *outage);
	strncpy(outage->name, name, NAME_MAX_LEN);
	return outage;
}

static bool tell(struct outage *outage, bool is_down, uint64_t now_ms)
{
	if (outage->is_down == is_down)
		return true;
	if (is_down && log_rate_ok(&outage->rate, now_ms) == 0)
		return false;
	if (is_down)
		log_warning("upstream \"%s\": does not answer, others are asked before it",
			outage->name);
	else
		log_info("upstream \"%s\": answers again after %llu s", outage->name,
			(unsigned long long)(now_ms - outage->since_ms) / 1000);
	outage->is_down = is_down;
	outage->since_ms = now_ms;
	if (!is_down)
		outage->reason = NULL;
	return true;
}

bool outage_tell(const char *name, bool is_down, uint64_t now_ms)
{
	pthread_mutex_lock(&lock);
	bool told = tell(find(name), is_down, now_ms);
	pthread_mutex_unlock(&lock);
	return told;
}

static bool may_say_why(struct outage *outage, const char *word, uint64_t now_ms)
{
	if (outage->reason && strcmp(outage->reason, word) == 0 &&
		now_ms - outage->reason_ms < OUTAGE_REASON_MS)
		return false;
	if (log_rate_ok(&outage->reason_rate, now_ms) == 0)
		return false;
	outage->reason = word;
	outage->reason_ms = now_ms;
	return true;
}

bool outage_may_say_why(const char *name, const char *word, uint64_t now_ms)
{
	pthread_mutex_lock(&lock);
	bool may = may_say_why(find(name), word, now_ms);
	pthread_mutex_unlock(&lock);
	return may;
}
