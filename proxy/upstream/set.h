/* set.h - what the files of a set of upstreams share; for them alone.
 *
 *   upstream.c    birth, turns and death of a set; upstream.h
 *   ask.c         one ask: whom it goes to, what comes back, when it is given up
 *   member.c      what is known of an upstream
 *   pace.c        the one timer: asks, exchanges, probes
 *   addresses.c   upstreams that are named by host */
#ifndef PROXY_UPSTREAM_SET_H
#define PROXY_UPSTREAM_SET_H

#include "base/list.h"
#include "proxy/upstream/bootstrap.h"
#include "proxy/upstream/choice.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/hedge.h"
#include "proxy/upstream/upstream.h"

enum {
	SET_TICK_MS = 25, /* of the exchanges that are busy */
	SET_LAME = 8,     /* bad answers in a row, where another one knew better */
};

static const uint64_t set_never_ms = UINT64_MAX;

/* An owner of no ask: the answer only shows that somebody is there, and how fast. */
static const uint64_t set_nobody = UINT64_MAX;

/* Whom a request may be sent to. */
struct group {
	enum upstream_policy policy;
	const uint16_t *members;
	size_t count;
	uint64_t used_ms;
};

/* What is known of an upstream beside its exchange's health and latency. */
struct member {
	struct exchange *exchange;
	uint64_t answered_ms; /* the last time that it said anything */
	unsigned after_ms;    /* hedge_after_ms(), looked up once a tick */
	unsigned lame;
	uint64_t lame_ms;
	bool is_down;         /* as counted, and ... */
	bool is_told;         /* ... as the log says it */
	struct dns_name host; /* of no length when its addresses are configured */
	struct bootstrap bootstrap;
};

struct ask {
	struct list link; /* set->open or set->free */
	upstream_ask_id id;
	uint32_t generation; /* makes old handles to this slot invalid */
	uint16_t slot;
	uint8_t started; /* tries in all */
	uint8_t waiting; /* tries that have not been reported */
	uint8_t last;    /* whom the last try went to */
	bool is_overdue; /* and that this one is late has been noted */
	bool is_ours;    /* the addresses of upstream `id` are sought */
	struct group *group;
	struct dns_request request;
	uint64_t started_ns;
	uint64_t tried_ms; /* the last try */
	uint64_t next_ms;  /* then the next try */
	uint64_t deadline_ms;
	uint32_t failed; /* upstreams that gave a bad answer or none at all */
	int error;       /* the most telling of those failures */
	uint8_t *kept;   /* the first bad answer; malloc */
	size_t kept_len;
	uint16_t kept_by;
	uint8_t tries[UPSTREAM_MAX]; /* per upstream */
	uint8_t name[DNS_NAME_MAX];
};

struct upstream_set {
	struct exchange_host host;
	uv_timer_t timer;
	uv_idle_t soon;
	unsigned handles; /* of the two above */
	bool closing;
	uint64_t armed_ms; /* the timer; the earliest of the next three */
	bool is_put_off;
	uint64_t asks_ms;
	uint64_t exchanges_ms;
	uint64_t probes_ms;
	upstream_done_fn on_done;
	void *context;
	size_t count;
	struct member members[UPSTREAM_MAX];
	uint16_t everybody[UPSTREAM_MAX];
	struct group *groups; /* those of the configuration, then one for each upstream alone */
	size_t group_count;   /* of the former */
	struct hedge_budget budget;
	struct list open;
	struct list free;
	unsigned touched;
	size_t in_flight; /* without our own */
	struct ask *asks; /* UPSTREAM_ASKS_MAX */
};

static inline uint64_t set_now_ms(const struct upstream_set *set)
{
	return uv_now(set->host.loop);
}

static inline uint64_t earlier_ms(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* --- ask.c --- */

/* Begins one; `id` is told back, or is the upstream whose addresses are sought (is_ours). */
int ask_begin(struct upstream_set *set, struct group *group, upstream_ask_id id, bool is_ours,
	const struct dns_request *request);
/* Its next try, unless it ends before. */
void ask_sleep(struct upstream_set *set, struct ask *ask, uint64_t until_ms);
/* The set's exchange_host.on_report. */
void ask_on_report(struct exchange_host *host, const struct exchange_report *report);
void asks_tick(struct upstream_set *set);
/* All of them, with an error. */
void asks_end(struct upstream_set *set, int error);

/* --- member.c --- */

enum health_state member_state(const struct upstream_set *set, size_t index);
/* Down, or back? */
void member_note(struct upstream_set *set, size_t index);
void member_on_answer(struct upstream_set *set, const struct exchange_report *report);
/* Has it given bad answers lately where others knew better? */
bool member_is_lame(const struct upstream_set *set, size_t index);
/* `by` gave a good answer; those who failed before it should have. */
void member_note_who_knew(struct upstream_set *set, const struct ask *ask, size_t by);
/* Sends it a request; as exchange_type.ask. */
int member_ask(struct upstream_set *set, size_t index, const struct dns_request *request,
	uint64_t owner, enum upstream_reason reason);

/* --- pace.c --- */

/* Sees to it that the timer runs in time. Cheap when it does. */
void pace_arm(struct upstream_set *set);

/* --- addresses.c --- */

/* It is being used: time to look whether its addresses still hold? */
void addresses_renew(struct upstream_set *set, size_t index);
/* What an ask of ours brought; NULL: nothing. */
void addresses_on_result(struct upstream_set *set, size_t index, const struct dns_answer *answer);
/* The set's exchange_host.on_bootstrap. */
void addresses_on_want(struct exchange_host *host, struct exchange *exchange);
/* Those who want addresses and are not being looked after get them, or the look-up begins. */
void addresses_work(struct upstream_set *set, size_t index);

#endif
