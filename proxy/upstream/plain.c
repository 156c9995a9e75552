/* Classic DNS to one upstream: UDP first, TCP where UDP does not do. The only part of namegate that
 * asks through c-ares, and only over TCP; docs/decisions/002-upstream-cares.md says why it is used
 * the way it is, 012-udp-batches.md why UDP does without.
 *
 * A query of ours goes through stages: UDP, perhaps UDP again without OPT, perhaps TCP. A stage
 * over TCP is one query of c-ares (see cares.h for how that is used).
 *
 *   plain_ask -> stage_start -> udp_pool_send: our message leaves at the end of the turn
 *   pool      -> on_datagram: judge_match(); the answer stays where it is, the stage is queued
 *             -> on_batch -> work: judge_answer(), then the next stage or the report
 *   c-ares    -> on_message, on_over, on_turn: the same over TCP
 *
 * Silence is noticed by plain_tick(), which ends queries the same way. */
#include "proxy/upstream/exchange.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "proxy/upstream/cares.h"
#include "proxy/upstream/judge.h"
#include "proxy/upstream/udp_pool.h"
#include "proxy/upstream/upstream.h"

enum {
	CHANNEL_AGE_MS = 300000, /* then a new one: nothing that c-ares keeps lives for ever */
	ID_BUCKETS = 1024,       /* power of two */
	FOLDS_BEFORE_OFF = 3,    /* in a row */
	HABIT_MS = 300000,       /* how long a learned weakness is remembered */
	HOUSEKEEPING_MS = 1000,
	TCP_TRIES = 2, /* a server may close the connection while we write: once more */
};

/* Why a stage ended when not by an answer. */
enum ended { ENDED_NOT, ENDED_SILENT, ENDED_FAILED, ENDED_NO_MEMORY };

/* One query of ours, in a slot. c-ares points at it while it has it (`cares.channel`), so the slot
 * is given away only after its callback. */
struct attempt {
	struct udp_query udp;
	struct cares_query cares;
	struct list age;  /* plain->fresh, then plain->quiet, by start; free ones: plain->free */
	struct list work; /* plain->done */
	uint64_t owner;
	uint64_t started_ns;
	uint64_t started_ms;
	struct attempt *next_by_id;
	struct slice answer; /* as it came; of no use after its turn */
	uint32_t turn;
	enum judge_match match;
	enum ended ended;
	uint16_t id; /* on the wire */
	uint16_t wire_len;
	bool cut;
	bool over_tcp;
	bool has_opt;
	bool opt_refused; /* the server said FORMERR, with our question */
	bool exact_case;
	bool reported; /* only c-ares still has it */
	uint8_t tcp_tries;
	uint8_t wire[DNS_REQUEST_MAX];
};

struct channel_slot {
	struct cares *now;
	struct cares *aside; /* worn, but with queries left */
	uint64_t born_ms;
	bool worn;
};

struct plain {
	struct exchange exchange;
	struct udp_pool pool;
	struct cares_events events;
	struct channel_slot channel;
	int links;                /* handles of TCP connections, also those still closing */
	struct attempt *attempts; /* UPSTREAM_IN_FLIGHT of them */
	unsigned touched;         /* those beyond were never used, so they cost no memory */
	unsigned in_flight;
	struct list free;
	struct list fresh; /* silent for less than UPSTREAM_HEDGE_MS */
	struct list quiet;
	struct list done;
	uint32_t turn; /* counts work(): older answers are gone */
	struct attempt *by_id[ID_BUCKETS];
	uint64_t housekeeping_ms;
	unsigned folds; /* in a row */
	uint64_t fold_off_until_ms;
	uint64_t edns_off_until_ms;
	bool closed;
};

static struct plain *plain_of(struct exchange *exchange)
{
	return container_of(exchange, struct plain, exchange);
}

static uint64_t now_ms(const struct plain *plain)
{
	return uv_now(plain->exchange.host->loop);
}

static void work(struct plain *plain);

static void count_error(struct plain *plain, enum upstream_error error)
{
	upstream_count(&plain->exchange.counters.errors[error]);
}

/* --- ids --- */

static struct attempt *find_by_id(const struct plain *plain, uint16_t id)
{
	struct attempt *attempt = plain->by_id[id % ID_BUCKETS];
	while (attempt && attempt->id != id)
		attempt = attempt->next_by_id;
	return attempt;
}

/* Unique among those in flight to this upstream. */
static void id_take(struct plain *plain, struct attempt *attempt)
{
	uint16_t id;
	do
		id = random_u16(&plain->exchange.host->random);
	while (find_by_id(plain, id));
	attempt->id = id;
	attempt->wire[0] = (uint8_t)(id >> 8);
	attempt->wire[1] = (uint8_t)id;
	attempt->next_by_id = plain->by_id[id % ID_BUCKETS];
	plain->by_id[id % ID_BUCKETS] = attempt;
}

static void id_give_back(struct plain *plain, struct attempt *attempt)
{
	struct attempt **at = &plain->by_id[attempt->id % ID_BUCKETS];
	while (*at && *at != attempt)
		at = &(*at)->next_by_id;
	if (*at)
		*at = attempt->next_by_id;
}

/* --- attempts --- */

static struct attempt *attempt_take(struct plain *plain)
{
	struct list *node = list_take_first(&plain->free);
	if (!node && plain->touched == UPSTREAM_IN_FLIGHT)
		return NULL;
	struct attempt *attempt =
		node ? container_of(node, struct attempt, age) : &plain->attempts[plain->touched++];
	memset(attempt, 0, offsetof(struct attempt, wire));
	udp_query_init(&attempt->udp);
	list_init(&attempt->cares.node);
	list_init(&attempt->age);
	list_init(&attempt->work);
	upstream_gauge_set(&plain->exchange.counters.in_flight, ++plain->in_flight);
	return attempt;
}

static void attempt_free(struct plain *plain, struct attempt *attempt)
{
	list_remove(&attempt->work);
	list_remove(&attempt->age);
	/* To the front: the memory of the last one used is warm. */
	list_append(plain->free.next, &attempt->age);
	upstream_gauge_set(&plain->exchange.counters.in_flight, --plain->in_flight);
}

/* Nothing more is expected from the wire in this stage. May be called again. */
static void attempt_settle(struct plain *plain, struct attempt *attempt)
{
	id_give_back(plain, attempt);
	udp_query_forget(&attempt->udp);
}

static void attempt_queue(struct plain *plain, struct attempt *attempt)
{
	list_remove(&attempt->work);
	list_append(&plain->done, &attempt->work);
}

/* A stage is over that c-ares does not have. */
static void attempt_end(struct plain *plain, struct attempt *attempt, enum ended ended)
{
	attempt->ended = ended;
	attempt_settle(plain, attempt);
	attempt_queue(plain, attempt);
}

static struct judge_sent attempt_sent(const struct attempt *attempt)
{
	return (struct judge_sent){
		.message = slice_of(attempt->wire, attempt->wire_len),
		.has_opt = attempt->has_opt,
		.exact_case = attempt->exact_case,
		.over_tcp = attempt->over_tcp,
	};
}

/* --- channels --- */

static void channel_retire(struct channel_slot *slot)
{
	if (slot->now && cares_in_flight(slot->now) == 0) {
		cares_free(slot->now);
		slot->now = NULL;
	} else if (slot->now && !slot->aside) {
		slot->aside = slot->now;
		slot->now = NULL;
	}
	slot->worn = slot->now != NULL;
}

/* The channel for a new query. Never called from within c-ares, so old ones may go here. */
static struct cares *channel_for(struct plain *plain)
{
	struct channel_slot *slot = &plain->channel;
	if (slot->now && (slot->worn || now_ms(plain) - slot->born_ms >= CHANNEL_AGE_MS))
		channel_retire(slot);
	if (slot->now)
		return slot->now;
	slot->now = cares_new(plain->exchange.host->loop, &plain->exchange.upstream->address,
		plain->exchange.upstream->port, &plain->events);
	slot->born_ms = now_ms(plain);
	slot->worn = false;
	return slot->now;
}

static void channel_tick(struct channel_slot *slot)
{
	if (slot->aside && cares_in_flight(slot->aside) == 0) {
		cares_free(slot->aside);
		slot->aside = NULL;
	}
	if (slot->aside)
		cares_tick(slot->aside);
	if (slot->now && cares_in_flight(slot->now) > 0)
		cares_tick(slot->now);
}

/* --- stages --- */

static struct slice stage_begin(struct plain *plain, struct attempt *attempt)
{
	attempt->answer = slice_of(NULL, 0);
	attempt->ended = ENDED_NOT;
	attempt->cut = false;
	attempt_settle(plain, attempt);
	id_take(plain, attempt);
	return slice_of(attempt->wire, attempt->wire_len);
}

static void stage_udp(struct plain *plain, struct attempt *attempt)
{
	struct slice message = stage_begin(plain, attempt);
	upstream_count(&plain->exchange.counters.queries_udp);
	udp_pool_send(&plain->pool, &attempt->udp, message);
}

static void stage_tcp(struct plain *plain, struct attempt *attempt)
{
	struct cares *channel = channel_for(plain);
	struct slice message = stage_begin(plain, attempt);
	if (!channel) {
		attempt_end(plain, attempt, ENDED_NO_MEMORY);
		plain->exchange.host->on_work(plain->exchange.host);
		return;
	}
	upstream_count(&plain->exchange.counters.queries_tcp);
	cares_send(channel, &attempt->cares, message, attempt->id);
	if (!attempt->cares.channel)
		plain->exchange.host->on_work(plain->exchange.host);
}

static void stage_start(struct plain *plain, struct attempt *attempt)
{
	if (attempt->over_tcp)
		stage_tcp(plain, attempt);
	else
		stage_udp(plain, attempt);
}

static void turn_to_tcp(struct plain *plain, struct attempt *attempt)
{
	attempt->over_tcp = true;
	attempt->tcp_tries++;
	stage_start(plain, attempt);
}

static void drop_opt(struct attempt *attempt)
{
	/* Ours is 11 bytes and last (dns/request.h). */
	attempt->wire_len = (uint16_t)(attempt->wire_len - DNS_REQUEST_OPT_LEN);
	attempt->wire[10] = 0;
	attempt->wire[11] = 0;
	attempt->has_opt = false;
}

static void mix_case(struct plain *plain, struct attempt *attempt)
{
	struct slice question = judge_question(slice_of(attempt->wire, attempt->wire_len));
	uint8_t *name = attempt->wire + DNS_HEADER_LEN;
	size_t len = question.len - 4;
	attempt->exact_case = now_ms(plain) >= plain->fold_off_until_ms;
	if (attempt->exact_case)
		judge_mix_case(&plain->exchange.host->random, name, len);
	else
		dns_name_lower(name, name, len);
}

static int plain_ask(struct exchange *exchange, const struct dns_request *request, uint64_t owner)
{
	struct plain *plain = plain_of(exchange);
	struct attempt *attempt = plain->closed ? NULL : attempt_take(plain);
	if (!attempt) {
		count_error(plain, UPSTREAM_ERROR_BUSY);
		return ERR_BUSY;
	}
	struct writer to = writer_of(attempt->wire, sizeof attempt->wire);
	dns_request_write(&to, request, 0);
	attempt->wire_len = (uint16_t)to.len;
	attempt->has_opt = true;
	attempt->owner = owner;
	attempt->started_ns = uv_hrtime();
	attempt->started_ms = now_ms(plain);
	mix_case(plain, attempt);
	if (now_ms(plain) < plain->edns_off_until_ms)
		drop_opt(attempt);
	list_append(&plain->fresh, &attempt->age);
	stage_start(plain, attempt);
	return 0;
}

/* --- what the wire says --- */

static void on_unsent(void *context, struct udp_query *query)
{
	struct plain *plain = context;
	attempt_end(plain, container_of(query, struct attempt, udp), ENDED_FAILED);
	plain->exchange.host->on_work(plain->exchange.host);
}

/* The one whose answer this is, with the answer in it; `sock` is NULL for TCP. NULL when it is no
 * answer to anything that was asked there. */
static struct attempt *match(
	struct plain *plain, const struct udp_socket *sock, struct slice bytes, bool cut)
{
	struct attempt *attempt = NULL;
	if (bytes.len >= DNS_HEADER_LEN)
		attempt = find_by_id(plain, (uint16_t)(bytes.at[0] << 8 | bytes.at[1]));
	if (attempt && attempt->udp.socket == sock && attempt->over_tcp == !sock) {
		struct judge_sent sent = attempt_sent(attempt);
		attempt->match = judge_match(&sent, bytes);
		if (attempt->match != JUDGE_FOREIGN) {
			attempt->answer = bytes;
			attempt->turn = plain->turn;
			attempt->cut = cut;
			return attempt;
		}
	}
	count_error(plain, UPSTREAM_ERROR_MISMATCH);
	return NULL;
}

static void on_datagram(void *context, struct udp_socket *sock, struct slice bytes, bool cut)
{
	struct attempt *attempt = match(context, sock, bytes, cut);
	if (attempt)
		attempt_end(context, attempt, ENDED_NOT);
}

/* From within c-ares' turn: only note. */
static struct cares_query *on_message(void *context, struct slice message)
{
	struct attempt *attempt = match(context, NULL, message, false);
	if (!attempt)
		return NULL;
	attempt_settle(context, attempt);
	return &attempt->cares;
}

static void on_batch(void *context)
{
	work(context);
}

/* The queries sent from this socket. Rare, so looking at all is good enough. */
static void fail_socket(struct plain *plain, struct list *ages, struct udp_socket *sock)
{
	for (struct list *node = ages->next; node != ages; node = node->next) {
		struct attempt *attempt = container_of(node, struct attempt, age);
		if (attempt->udp.socket == sock)
			attempt_end(plain, attempt, ENDED_FAILED);
	}
}

static void on_socket_error(void *context, struct udp_socket *sock)
{
	struct plain *plain = context;
	fail_socket(plain, &plain->fresh, sock);
	fail_socket(plain, &plain->quiet, sock);
	plain->exchange.host->on_work(plain->exchange.host);
}

/* From within c-ares: only queue. */
static void on_over(void *context, struct cares_query *query, enum cares_end end)
{
	struct plain *plain = context;
	struct attempt *attempt = container_of(query, struct attempt, cares);
	attempt_settle(plain, attempt);
	if (end != CARES_OVER && attempt->ended == ENDED_NOT)
		attempt->ended = end == CARES_NO_MEMORY ? ENDED_NO_MEMORY : ENDED_FAILED;
	attempt_queue(plain, attempt);
}

static void on_turn(void *context)
{
	work(context);
}

/* --- what comes of it --- */

static void report(struct plain *plain, struct attempt *attempt, enum exchange_outcome outcome,
	const struct dns_answer *answer)
{
	struct exchange_report said = { .outcome = outcome,
		.index = plain->exchange.index,
		.owner = attempt->owner,
		.answer = answer };
	attempt->reported = true;
	if (!attempt->cares.channel)
		attempt_free(plain, attempt);
	plain->exchange.host->on_report(plain->exchange.host, &said);
}

static void note_case(struct plain *plain, const struct attempt *attempt)
{
	if (attempt->over_tcp || !attempt->exact_case)
		return;
	plain->folds = attempt->match == JUDGE_FOLDED ? plain->folds + 1 : 0;
	if (attempt->match == JUDGE_FOLDED)
		upstream_count(&plain->exchange.counters.case_folded);
	if (plain->folds < FOLDS_BEFORE_OFF)
		return;
	plain->folds = 0;
	plain->fold_off_until_ms = now_ms(plain) + HABIT_MS;
	upstream_count(&plain->exchange.counters.case_off);
}

static void report_answer(
	struct plain *plain, struct attempt *attempt, const struct dns_answer *opened)
{
	uint64_t took_us = (uv_hrtime() - attempt->started_ns) / 1000;
	latency_add(&plain->exchange.latency, took_us);
	upstream_count_answer(&plain->exchange.counters, opened->rcode, took_us);
	if (attempt->opt_refused && opened->rcode != DNS_RCODE_FORMERR) {
		/* It was the OPT, then. */
		plain->edns_off_until_ms = now_ms(plain) + HABIT_MS;
		upstream_count(&plain->exchange.counters.edns_off);
	}
	report(plain, attempt, EXCHANGE_ANSWER, opened);
}

static void retry_without_opt(struct plain *plain, struct attempt *attempt)
{
	count_error(plain, UPSTREAM_ERROR_FORMERR);
	attempt->opt_refused = attempt->match != JUDGE_NO_QUESTION;
	drop_opt(attempt);
	stage_start(plain, attempt);
}

static void take_answer(struct plain *plain, struct attempt *attempt)
{
	struct judge_sent sent = attempt_sent(attempt);
	struct dns_answer opened;
	health_on_answer(&plain->exchange.health);
	note_case(plain, attempt);
	switch (judge_answer(&sent, attempt->match, attempt->answer, attempt->cut, &opened)) {
	case JUDGE_ANSWER: report_answer(plain, attempt, &opened); return;
	case JUDGE_ASK_TCP:
		if (attempt->match != JUDGE_FOLDED)
			upstream_count(&plain->exchange.counters.truncated);
		turn_to_tcp(plain, attempt);
		return;
	case JUDGE_DROP_OPT: retry_without_opt(plain, attempt); return;
	case JUDGE_MALFORMED:
		count_error(plain, UPSTREAM_ERROR_MALFORMED);
		report(plain, attempt, EXCHANGE_MALFORMED, NULL);
	}
}

static void take_failure(struct plain *plain, struct attempt *attempt)
{
	if (attempt->ended == ENDED_SILENT) {
		report(plain, attempt, EXCHANGE_SILENT, NULL);
	} else if (attempt->ended == ENDED_NO_MEMORY) {
		report(plain, attempt, EXCHANGE_NO_MEMORY, NULL);
	} else if (attempt->over_tcp && attempt->tcp_tries < TCP_TRIES) {
		count_error(plain, UPSTREAM_ERROR_TCP_FAILED);
		turn_to_tcp(plain, attempt);
	} else {
		count_error(plain,
			attempt->over_tcp ? UPSTREAM_ERROR_TCP_FAILED : UPSTREAM_ERROR_NETWORK);
		health_on_silence(&plain->exchange.health, now_ms(plain));
		report(plain, attempt, EXCHANGE_FAILED, NULL);
	}
}

static void take_done(struct plain *plain, struct attempt *attempt)
{
	if (attempt->reported)
		attempt_free(plain, attempt);
	else if (attempt->answer.len && attempt->turn == plain->turn)
		take_answer(plain, attempt);
	else
		take_failure(plain, attempt);
}

static void work(struct plain *plain)
{
	if (plain->closed)
		return;
	/* Only what is done by now: whoever asks again from a report waits for the next turn. */
	struct list batch;
	list_init(&batch);
	for (struct list *node; (node = list_take_first(&plain->done));)
		list_append(&batch, node);
	for (struct list *node; !plain->closed && (node = list_take_first(&batch));)
		take_done(plain, container_of(node, struct attempt, work));
	plain->turn++;
}

static void plain_work(struct exchange *exchange)
{
	work(plain_of(exchange));
}

/* --- time --- */

/* Over TCP c-ares gives the query back when it times out itself. */
static void expire(struct plain *plain, struct attempt *attempt)
{
	list_remove(&attempt->age);
	count_error(plain, UPSTREAM_ERROR_TIMEOUT);
	if (!attempt->over_tcp) {
		attempt_end(plain, attempt, ENDED_SILENT);
		return;
	}
	/* The connection may be a dead one: the next query gets another. */
	plain->channel.worn = true;
	report(plain, attempt, EXCHANGE_SILENT, NULL);
}

/* The first of the list, if it is that old. */
static struct attempt *oldest(const struct list *ages, uint64_t now, unsigned age_ms)
{
	if (list_is_empty(ages))
		return NULL;
	struct attempt *attempt = container_of(ages->next, struct attempt, age);
	return attempt->started_ms + age_ms <= now ? attempt : NULL;
}

static void notice_silence(struct plain *plain, uint64_t now)
{
	struct attempt *attempt;
	while ((attempt = oldest(&plain->fresh, now, UPSTREAM_HEDGE_MS))) {
		list_remove(&attempt->age);
		list_append(&plain->quiet, &attempt->age);
		health_on_silence(&plain->exchange.health, now);
	}
	while (!plain->closed && (attempt = oldest(&plain->quiet, now, UPSTREAM_DEADLINE_MS)))
		expire(plain, attempt);
}

static void plain_tick(struct exchange *exchange, uint64_t now)
{
	struct plain *plain = plain_of(exchange);
	if (plain->closed)
		return;
	notice_silence(plain, now);
	work(plain);
	if (plain->closed || now - plain->housekeeping_ms < HOUSEKEEPING_MS)
		return;
	plain->housekeeping_ms = now;
	udp_pool_tick(&plain->pool, now);
	channel_tick(&plain->channel);
	work(plain);
}

static bool plain_is_busy(const struct exchange *exchange)
{
	return ((const struct plain *)exchange)->in_flight > 0;
}

static bool plain_has_sockets(const struct exchange *exchange)
{
	return !list_is_empty(&((const struct plain *)exchange)->pool.sockets);
}

/* The sockets may be bound to an address that we no longer have. */
static void plain_distrust(struct exchange *exchange)
{
	struct plain *plain = plain_of(exchange);
	udp_pool_retire(&plain->pool);
	plain->channel.worn = true;
	plain->folds = 0;
	plain->fold_off_until_ms = 0;
	plain->edns_off_until_ms = 0;
}

/* --- life --- */

static void on_socket_closed(void *context)
{
	struct plain *plain = context;
	plain->exchange.host->on_closed(plain->exchange.host);
}

static void on_handle(void *context, int by)
{
	struct plain *plain = context;
	plain->links += by;
	if (by < 0)
		plain->exchange.host->on_closed(plain->exchange.host);
}

static struct exchange *plain_open(struct exchange_host *host,
	const struct upstream_config *upstream, struct tls_client *tls, unsigned index)
{
	(void)tls;
	struct plain *plain = calloc(1, sizeof *plain);
	if (!plain)
		return NULL;
	plain->attempts = calloc(UPSTREAM_IN_FLIGHT, sizeof *plain->attempts);
	if (!plain->attempts) {
		free(plain);
		return NULL;
	}
	plain->exchange = (struct exchange){
		.type = &exchange_plain, .host = host, .upstream = upstream, .index = index
	};
	plain->pool.loop = host->loop;
	plain->pool.random = &host->random;
	plain->pool.batch = host->batch;
	plain->pool.to_len =
		address_to_sockaddr(&upstream->address, upstream->port, &plain->pool.to);
	plain->pool.events = (struct udp_pool_events){ .on_datagram = on_datagram,
		.on_unsent = on_unsent,
		.on_batch = on_batch,
		.on_error = on_socket_error,
		.on_closed = on_socket_closed,
		.context = plain };
	plain->events = (struct cares_events){ .on_over = on_over,
		.on_message = on_message,
		.on_turn = on_turn,
		.on_handle = on_handle,
		.context = plain };
	udp_pool_init(&plain->pool);
	list_init(&plain->free);
	list_init(&plain->fresh);
	list_init(&plain->quiet);
	list_init(&plain->done);
	return &plain->exchange;
}

static void plain_close(struct exchange *exchange)
{
	struct plain *plain = plain_of(exchange);
	plain->closed = true;
	cares_free(plain->channel.now);
	cares_free(plain->channel.aside);
	udp_pool_close(&plain->pool);
}

static bool plain_is_closed(const struct exchange *exchange)
{
	const struct plain *plain = (const struct plain *)exchange;
	return plain->closed && plain->pool.handles == 0 && plain->links == 0;
}

static void plain_free(struct exchange *exchange)
{
	struct plain *plain = plain_of(exchange);
	free(plain->attempts);
	free(plain);
}

const struct exchange_type exchange_plain = {
	.open = plain_open,
	.close = plain_close,
	.is_closed = plain_is_closed,
	.free = plain_free,
	.ask = plain_ask,
	.work = plain_work,
	.tick = plain_tick,
	.is_busy = plain_is_busy,
	.has_sockets = plain_has_sockets,
	.distrust = plain_distrust,
};
