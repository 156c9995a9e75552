/* health.h - who is asked first: what an upstream's last seconds say about its next answer.
 * Three silences in a row and it counts as down: it is asked last, with one live query a second as
 * a probe, until it answers. It is forgotten after some seconds, so that an old bad minute never
 * decides. Pure: the time is passed in. */
#ifndef PROXY_UPSTREAM_HEALTH_H
#define PROXY_UPSTREAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HEALTH_SILENCES = 3,    /* in a row, then it is down */
	HEALTH_DOWN_MS = 5000,  /* after the last silence it is given another chance */
	HEALTH_PROBE_MS = 1000, /* between probes while it is down */
};

struct health {
	unsigned silences;  /* since the last answer; at most HEALTH_SILENCES */
	uint64_t silent_ms; /* the last of them */
	uint64_t probed_ms;
};

/* Any answer to a question of ours, late or an error rcode: somebody is there. */
void health_on_answer(struct health *health);

/* A query stayed unanswered for a while, or could not be delivered at all. */
void health_on_silence(struct health *health, uint64_t now_ms);

bool health_is_up(const struct health *health, uint64_t now_ms);

/* True once per HEALTH_PROBE_MS while it is down: ask it as well, now. */
bool health_take_probe(struct health *health, uint64_t now_ms);

#endif
