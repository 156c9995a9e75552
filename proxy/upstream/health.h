/* health.h - who is asked first: what an upstream's last seconds say about its next answer.
 * Suspect: a few of its answers are overdue, and it has said nothing in between. That is known some
 * milliseconds after a cable was pulled; it may be wrong, and costs little then. Down: three
 * silences in a row. Both are asked last and probed every second, until they answer anything, and
 * both are forgotten after some seconds without news, so that an old bad minute never decides.
 * Pure: the time is passed in. */
#ifndef PROXY_UPSTREAM_HEALTH_H
#define PROXY_UPSTREAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HEALTH_OVERDUE = 3,     /* in a row, then it is suspect */
	HEALTH_SILENCES = 3,    /* in a row, then it is down */
	HEALTH_DOWN_MS = 5000,  /* after the last of them it is given another chance */
	HEALTH_PROBE_MS = 1000, /* between probes while it is not up */
};

enum health_state { HEALTH_UP, HEALTH_SUSPECT, HEALTH_DOWN };

struct health {
	unsigned silences;   /* since the last answer; at most HEALTH_SILENCES */
	unsigned overdue;    /* the same; at most HEALTH_OVERDUE */
	uint64_t silent_ms;  /* the last of them */
	uint64_t overdue_ms; /* the last of them */
	uint64_t probed_ms;
};

/* Any answer to a question of ours, late or an error rcode: somebody is there. */
void health_on_answer(struct health *health);

/* An answer is not here although it usually takes less long, and nor is any other. */
void health_on_overdue(struct health *health, uint64_t now_ms);

/* A query stayed unanswered for a while, or could not be delivered at all: not to a resolver, if
 * perhaps to a web server that is to stand before one. */
void health_on_silence(struct health *health, uint64_t now_ms);

/* Others were answered in the meantime: what stayed silent got lost on the way. */
void health_on_loss(struct health *health);

enum health_state health_state(const struct health *health, uint64_t now_ms);
bool health_is_up(const struct health *health, uint64_t now_ms);

/* True once per HEALTH_PROBE_MS while it is not up: ask it as well, now. */
bool health_take_probe(struct health *health, uint64_t now_ms);

#endif
