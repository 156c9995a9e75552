/* secure.c - DoT and DoH to one upstream: as few connections as possible, opened when there is
 * something to ask, and many questions at once on each. docs/decisions/006-encrypted-upstreams.md
 * says why it is done like this.
 *
 *   ask -> place -> put: on a link that has room; it leaves before the loop waits again (link.c)
 *              \-> wait, and have one more link opened (dial.c)
 *   link -> on_answer: judged and reported at once, as the bytes die with the call
 *        -> on_over: what was on it waits for a fresh link, once
 *   tick -> silence of questions and of links, idle links, the next address
 *
 * Whatever comes to nothing is queued (`done`) and reported by work(), from a later turn. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/reader.h"
#include "proxy/upstream/dial.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/idle_limit.h"
#include "proxy/upstream/judge.h"
#include "proxy/upstream/links.h"
#include "proxy/upstream/questions.h"
#include "proxy/upstream/upstream.h"

enum {
	NUMBER_TRIES = 8,
	WAITING_MAX = 1024,      /* questions without a link */
	DOUBT_MS = 400,          /* of silence, then TCP is asked whether the path is broken */
	STALL_MS = 1500,         /* of silence, then a fresh link is opened in any case */
	LOST_MS = 3000,          /* of silence, then it is closed, fresh link or not */
	DEATHS_MAX = 2,          /* links that may end under a question */
	STRIKES_MAX = 3,         /* answers to nothing that we asked, and no good one in between */
	IDLE_CLOSE_MIN_MS = 500, /* who closes sooner does it for another reason */
};

struct secure {
	struct exchange exchange; /* the front: see exchange.h */
	struct link_host host;
	struct links links;
	struct dial dial;
	struct idle_limit idle;
	struct questions questions;
	unsigned waiting_count;
	struct list fresh; /* silent for less than UPSTREAM_HEDGE_MS */
	struct list quiet;
	struct list waiting;
	struct list done;
	uint64_t ticked_ms;
	bool is_dot;
	bool bootstrapping;
	bool started; /* there are handles */
	bool closed;
};

static struct secure *secure_of(struct exchange *exchange)
{
	return container_of(exchange, struct secure, exchange);
}

static const struct secure *secure_of_const(const struct exchange *exchange)
{
	return (const struct secure *)exchange;
}

static uint64_t now_ms(const struct secure *secure)
{
	return uv_now(secure->exchange.host->loop);
}

static void count_error(struct secure *secure, enum upstream_error error)
{
	upstream_count(&secure->exchange.counters.errors[error]);
}

/* --- questions --- */

static void show_in_flight(struct secure *secure)
{
	upstream_gauge_set(&secure->exchange.counters.in_flight, secure->questions.in_flight);
}

static struct question *question_take(struct secure *secure)
{
	struct question *question = questions_take(&secure->questions);
	show_in_flight(secure);
	return question;
}

static void question_free(struct secure *secure, struct question *question)
{
	questions_free(&secure->questions, question);
	show_in_flight(secure);
}

/* Over DoT the number is the id; RFC 8484 4.1: 0 over HTTP. */
static void question_take_number(struct secure *secure, struct question *question)
{
	questions_take_number(&secure->questions, question, &secure->exchange.host->random);
	if (!secure->is_dot)
		return;
	question->wire[0] = (uint8_t)(question->number >> 8);
	question->wire[1] = (uint8_t)question->number;
}

/* Takes it from where it is: its link, or among those that wait. */
static void question_lift(struct secure *secure, struct question *question)
{
	struct link *link = question->link;
	list_remove(&question->place);
	question->link = NULL;
	if (!link) {
		secure->waiting_count--;
		return;
	}
	questions_give_number_back(&secure->questions, question);
	link->question_count--;
	if (link->question_count == 0 && link_is_leaving(link))
		link_end(link, LINK_DONE);
}

static void question_wait(struct secure *secure, struct question *question)
{
	list_append(&secure->waiting, &question->place);
	secure->waiting_count++;
}

/* It was lifted; the report follows from work(). */
static void question_done(
	struct secure *secure, struct question *question, enum exchange_outcome outcome)
{
	question->outcome = outcome;
	list_remove(&question->age);
	list_append(&secure->done, &question->place);
	secure->exchange.host->on_work(secure->exchange.host);
}

static void question_failed(struct secure *secure, struct question *question)
{
	count_error(secure, UPSTREAM_ERROR_TCP_FAILED);
	health_on_silence(&secure->exchange.health, now_ms(secure));
	question_done(secure, question, EXCHANGE_FAILED);
}

/* Frees the slot first: whoever hears it may ask again. */
static void report(struct secure *secure, struct question *question, enum exchange_outcome outcome,
	const struct dns_answer *answer)
{
	struct exchange_report said = { .outcome = outcome,
		.index = secure->exchange.index,
		.owner = question->owner,
		.answer = answer };
	question_free(secure, question);
	secure->exchange.host->on_report(secure->exchange.host, &said);
}

/* --- on links --- */

/* 0, or an error of asker_type.ask. */
static int put(struct secure *secure, struct link *link, struct question *question)
{
	int error = ERR_BUSY;
	/* Over DoT a number may be taken by a question that we have given up. */
	for (unsigned i = 0; i < NUMBER_TRIES && error == ERR_BUSY; i++) {
		question_take_number(secure, question);
		error = link_ask(
			link, question->number, slice_of(question->wire, question->wire_len));
		if (error)
			questions_give_number_back(&secure->questions, question);
	}
	if (error)
		return error;
	question->link = link;
	question->put_ms = link->busy_ms = now_ms(secure);
	question->put_ns = uv_hrtime();
	list_append(&link->questions, &question->place);
	link->question_count++;
	upstream_count(&secure->exchange.counters.queries_tcp);
	return 0;
}

/* Puts a question that is nowhere on a link; false when there is none for it. */
static bool place(struct secure *secure, struct question *question)
{
	struct link *link;
	while ((link = links_choose(&secure->links, question->after))) {
		int error = put(secure, link, question);
		if (error == 0)
			return true;
		if (error == ERR_BUSY)
			return false;
		link->retired = true; /* not on this one, then */
		if (link->question_count == 0)
			link_end(link, LINK_DONE);
	}
	return false;
}

/* --- waiting --- */

static void serve_waiting(struct secure *secure);

static void fail_waiting(struct secure *secure)
{
	struct list *node;
	while ((node = list_take_first(&secure->waiting))) {
		secure->waiting_count--;
		question_failed(secure, container_of(node, struct question, place));
	}
}

/* There is no fresh link to be had. If there is a good one, only its room is waited for, also by
 * replays; else everything that waits has failed. */
static void do_without(struct secure *secure)
{
	if (links_usable(&secure->links) == 0) {
		fail_waiting(secure);
		return;
	}
	for (struct list *node = secure->waiting.next; node != &secure->waiting; node = node->next)
		container_of(node, struct question, place)->after = 0;
	serve_waiting(secure);
}

static void bootstrap(struct secure *secure)
{
	if (secure->bootstrapping || !secure->exchange.upstream->host)
		return;
	secure->bootstrapping = true;
	secure->exchange.host->on_bootstrap(secure->exchange.host, &secure->exchange);
}

static void on_dial_failed(struct secure *secure)
{
	do_without(secure);
	bootstrap(secure); /* it may have moved */
}

static void want_link(struct secure *secure)
{
	if (secure->closed)
		return;
	if (secure->dial.reach.count == 0) {
		bootstrap(secure);
		return;
	}
	if (!secure->started)
		link_host_start(&secure->host);
	secure->started = true;
	if (!dial_begin(&secure->dial))
		on_dial_failed(secure);
}

/* Puts what waits where it can be put, the first first; dials for the rest. */
static void serve_waiting(struct secure *secure)
{
	struct list *next;
	for (struct list *node = secure->waiting.next;
		node != &secure->waiting && links_has_room(&secure->links); node = next) {
		next = node->next;
		list_remove(node);
		if (place(secure, container_of(node, struct question, place)))
			secure->waiting_count--;
		else
			list_append(next, node); /* where it was */
	}
	if (!list_is_empty(&secure->waiting))
		want_link(secure);
}

/* --- what links tell --- */

static void on_up(struct link *link)
{
	struct secure *secure = link->host->context;
	struct upstream_counters *counters = &secure->exchange.counters;
	links_note_up(&secure->links, link);
	link->busy_ms = now_ms(secure);
	upstream_count(&counters->connections_opened);
	if (tls_stream_is_resumed(link->tls))
		upstream_count(&counters->connections_resumed);
	upstream_gauge_set(&counters->connections, links_up(&secure->links));
	reach_on_reached(&secure->dial.reach, &link->address);
	dial_end(&secure->dial);
	/* The network is there, and those that are still silent are not. */
	for (struct list *node = secure->links.all.next; node != &secure->links.all;
		node = node->next) {
		struct link *other = container_of(node, struct link, in_links);
		if (other->doubtful != UINT64_MAX)
			link_end(other, LINK_LOST);
	}
	serve_waiting(secure);
}

/* What the asker said about an answer's options: how long the peer keeps idle connections. */
static void learn_keepalive(struct secure *secure, const struct dns_opt *opt)
{
	enum { OPTION_KEEPALIVE = 11, UNIT_MS = 100 };
	struct reader options = reader_of(opt->options);
	while (secure->is_dot && opt->has_keepalive && reader_left(&options) > 0) {
		uint16_t code = reader_u16(&options);
		struct slice value = reader_bytes(&options, reader_u16(&options));
		if (code == OPTION_KEEPALIVE && value.len == 2)
			idle_limit_on_told(&secure->idle,
				(uint32_t)(value.at[0] << 8 | value.at[1]) * UNIT_MS);
	}
}

static void take_answer(
	struct secure *secure, struct question *question, const struct dns_answer *opened)
{
	uint64_t took_us = (uv_hrtime() - question->started_ns) / 1000;
	upstream_count_answer(&secure->exchange.counters, opened->rcode, took_us);
	learn_keepalive(secure, &opened->opt);
	report(secure, question, EXCHANGE_ANSWER, opened);
}

/* Answered, but not what was asked, or not to be read. */
static void take_nonsense(
	struct secure *secure, struct question *question, enum upstream_error error)
{
	count_error(secure, error);
	report(secure, question, EXCHANGE_MALFORMED, NULL);
}

static void strike(struct link *link, unsigned count)
{
	link->strikes += count;
	if (link->strikes >= STRIKES_MAX)
		link_end(link, LINK_BROKEN);
}

static void on_strays(struct link *link, unsigned count)
{
	struct secure *secure = link->host->context;
	upstream_count_add(&secure->exchange.counters.errors[UPSTREAM_ERROR_MISMATCH], count);
	strike(link, count);
}

/* An answer out of a cache of HTTP: its TTLs are those of when it was put there (RFC 8484 5.1). */
static void take_aged(struct secure *secure, struct question *question,
	const struct dns_answer *opened, uint32_t age_s)
{
	uint8_t *bytes = malloc(opened->message.len);
	struct dns_answer aged = *opened;
	if (!bytes) {
		report(secure, question, EXCHANGE_NO_MEMORY, NULL);
		return;
	}
	dns_answer_age(&aged, bytes, age_s);
	take_answer(secure, question, &aged);
	free(bytes);
}

/* From when it was on this link: not what it waited on another, or for this one. And what TCP
 * carries over when a cable is mended comes all at once, and says how long that took; with it, the
 * peer would be believed to be slow, and be waited for too long when it is silent the next time. */
static void learn_latency(
	struct secure *secure, const struct link *link, const struct question *question)
{
	if (link->doubtful == UINT64_MAX)
		latency_add(&secure->exchange.latency, (uv_hrtime() - question->put_ns) / 1000);
}

static struct judge_sent judge_sent_of(const struct question *question)
{
	return (struct judge_sent){ .message = slice_of(question->wire, question->wire_len),
		.has_opt = true,
		.over_tcp = true };
}

/* It answers the question. What does it say? */
static void take_match(struct secure *secure, struct link *link, struct question *question,
	enum judge_match match, struct slice message)
{
	const struct judge_sent sent = judge_sent_of(question);
	struct dns_answer opened;
	switch (judge_answer(&sent, match, message, false, &opened)) {
	case JUDGE_DROP_OPT:
		/* Whoever speaks TLS knows EDNS: FORMERR is the answer. */
		count_error(secure, UPSTREAM_ERROR_FORMERR);
		if (match == JUDGE_NO_QUESTION)
			report(secure, question, EXCHANGE_MALFORMED, NULL);
		else
			take_answer(secure, question, &opened);
		return;
	case JUDGE_ANSWER: break;
	default: take_nonsense(secure, question, UPSTREAM_ERROR_MALFORMED); return;
	}
	uint32_t age_s = link_http(link).age_s;
	if (age_s == 0)
		take_answer(secure, question, &opened);
	else
		take_aged(secure, question, &opened, age_s);
}

static void on_answer(struct link *link, uint32_t number, struct slice message)
{
	struct secure *secure = link->host->context;
	struct question *question = questions_find(&secure->questions, number);
	if (secure->closed || !question || question->link != link)
		return;
	const struct judge_sent sent = judge_sent_of(question);
	enum judge_match match = judge_match(&sent, message);
	question_lift(secure, question);
	link->busy_ms = now_ms(secure);
	health_on_answer(&secure->exchange.health);
	if (secure->waiting_count > 0) /* now there is room */
		secure->exchange.host->on_work(secure->exchange.host);
	if (match == JUDGE_FOREIGN) {
		strike(link, 1);
		take_nonsense(secure, question, UPSTREAM_ERROR_MISMATCH);
		return;
	}
	link->answered = true;
	link->strikes = 0;
	reach_on_success(&secure->dial.reach);
	learn_latency(secure, link, question);
	take_match(secure, link, question, match, message);
}

/* The link did not live to see the answer, or the peer did not work on it: once more, on a link
 * that came up later than `after`. There are servers that close a connection because of a question
 * that they do not like, and with it go all others: the first in line the second time is the one
 * to blame, and the others get one chance more. */
static void replay(struct secure *secure, struct question *question, uint64_t after, bool is_first)
{
	question_lift(secure, question);
	if (++question->deaths > (is_first ? 1 : DEATHS_MAX)) {
		question_failed(secure, question);
		return;
	}
	question->after = after;
	upstream_count(&secure->exchange.counters.replays);
	question_wait(secure, question);
}

static void tell_malformed(struct secure *secure, const struct link *link)
{
	char reason[64];
	snprintf(reason, sizeof reason, "HTTP status %u, or a wrong content type or length",
		link_http(link).status);
	dial_tell_trouble(
		&secure->dial, "answers, but not with DNS", "malformed", reason, &link->address);
}

static void on_failed(struct link *link, uint32_t number, int error)
{
	struct secure *secure = link->host->context;
	struct question *question = questions_find(&secure->questions, number);
	if (secure->closed || !question || question->link != link)
		return;
	if (error == ERR_CLOSED) {
		replay(secure, question, 0, true);
		/* Not from within the asker, which may have more to say. */
		secure->exchange.host->on_work(secure->exchange.host);
		return;
	}
	question_lift(secure, question);
	link->busy_ms = now_ms(secure);
	/* Who is there is a web server; whether it has a resolver is another matter. */
	health_on_silence(&secure->exchange.health, now_ms(secure));
	tell_malformed(secure, link);
	take_nonsense(secure, question, UPSTREAM_ERROR_MALFORMED);
}

static void learn_from_end(struct secure *secure, const struct link *link)
{
	uint64_t idle_ms = now_ms(secure) - link->busy_ms;
	bool by_peer = link->end == LINK_LEFT || link->end == LINK_BROKEN;
	if (!by_peer)
		return;
	if (!link->answered && (link->question_count > 0 || link->strikes > 0)) {
		/* It takes connections, but no questions: that is as good as none. */
		reach_on_failure(&secure->dial.reach, link->opened_ms, now_ms(secure));
	} else if (link->question_count == 0 && idle_ms >= IDLE_CLOSE_MIN_MS) {
		upstream_count(&secure->exchange.counters.idle_closes);
		idle_limit_on_peer_close(&secure->idle, idle_ms);
	}
}

static void on_over(struct link *link)
{
	struct secure *secure = link->host->context;
	if (link->phase != LINK_UP) {
		if (!dial_on_over(&secure->dial, link))
			on_dial_failed(secure);
		return;
	}
	uint64_t after = link->doubtful != UINT64_MAX ? link->doubtful : secure->links.serial;
	learn_from_end(secure, link);
	for (bool is_first = true; !list_is_empty(&link->questions); is_first = false)
		replay(secure, container_of(link->questions.next, struct question, place), after,
			is_first);
	links_drop(link);
	upstream_gauge_set(&secure->exchange.counters.connections, links_up(&secure->links));
	serve_waiting(secure);
	/* A question that has lost its link waits for as long as one does for an answer. */
	if (dial_is_paused(&secure->dial, UPSTREAM_HEDGE_MS))
		do_without(secure);
}

static void on_closed(void *context)
{
	struct secure *secure = context;
	secure->exchange.host->on_closed(secure->exchange.host);
}

static const struct link_events link_events = {
	.on_up = on_up,
	.on_answer = on_answer,
	.on_failed = on_failed,
	.on_strays = on_strays,
	.on_over = on_over,
	.on_closed = on_closed,
};

/* --- asking --- */

/* Nobody will take it before the pause is over: better said at once. */
static bool is_hopeless(const struct secure *secure)
{
	return dial_is_paused(&secure->dial, 0) && links_usable(&secure->links) == 0;
}

static int secure_ask(struct exchange *exchange, const struct dns_request *request, uint64_t owner)
{
	struct secure *secure = secure_of(exchange);
	struct question *question = secure->closed || secure->waiting_count >= WAITING_MAX
		? NULL
		: question_take(secure);
	if (!question) {
		count_error(secure, UPSTREAM_ERROR_BUSY);
		return ERR_BUSY;
	}
	struct writer to = writer_of(question->wire, sizeof question->wire);
	dns_request_write_padded(&to, request, 0, secure->is_dot);
	question->wire_len = (uint16_t)to.len;
	question->owner = owner;
	question->started_ns = uv_hrtime();
	question->started_ms = now_ms(secure);
	list_append(&secure->fresh, &question->age);
	if (secure->waiting_count == 0 && place(secure, question))
		return 0;
	if (is_hopeless(secure)) {
		question_failed(secure, question);
		return 0;
	}
	question_wait(secure, question);
	serve_waiting(secure);
	return 0;
}

static void secure_work(struct exchange *exchange)
{
	struct secure *secure = secure_of(exchange);
	if (!secure->closed && !list_is_empty(&secure->waiting))
		serve_waiting(secure);
	/* Only what is done by now: whoever asks again from a report waits for the next turn. */
	struct list batch;
	list_init(&batch);
	for (struct list *node; (node = list_take_first(&secure->done));)
		list_append(&batch, node);
	for (struct list *node; !secure->closed && (node = list_take_first(&batch));) {
		struct question *question = container_of(node, struct question, place);
		report(secure, question, question->outcome, NULL);
	}
}

/* --- time --- */

static void expire(struct secure *secure, struct question *question)
{
	count_error(secure, UPSTREAM_ERROR_TIMEOUT);
	if (question->link)
		link_cancel(question->link, question->number);
	question_lift(secure, question);
	report(secure, question, EXCHANGE_SILENT, NULL);
}

/* The first of the list, if it was that old then. */
static struct question *oldest(const struct list *ages, uint64_t then, unsigned age_ms)
{
	if (list_is_empty(ages))
		return NULL;
	struct question *question = container_of(ages->next, struct question, age);
	return question->started_ms + age_ms <= then ? question : NULL;
}

static void notice_silence(struct secure *secure, uint64_t then)
{
	struct question *question;
	while ((question = oldest(&secure->fresh, then, UPSTREAM_HEDGE_MS))) {
		list_remove(&question->age);
		list_append(&secure->quiet, &question->age);
		health_on_silence(&secure->exchange.health, now_ms(secure));
	}
	while (!secure->closed && (question = oldest(&secure->quiet, then, UPSTREAM_DEADLINE_MS)))
		expire(secure, question);
}

/* The oldest on a link that could be asked elsewhere: a slow one costs one fresh link, not two. */
static const struct question *oldest_on(const struct link *link, bool new_only)
{
	for (struct list *node = link->questions.next; node != &link->questions;
		node = node->next) {
		const struct question *question = container_of(node, struct question, place);
		if (!new_only || question->deaths == 0)
			return question;
	}
	return NULL;
}

/* For how long this question had then been waiting without a single byte from the peer. */
static uint64_t silence_ms(const struct link *link, const struct question *question, uint64_t then)
{
	if (!question)
		return 0;
	uint64_t since_ms = question->put_ms > link->heard_ms ? question->put_ms : link->heard_ms;
	return then > since_ms ? then - since_ms : 0;
}

/* A link on which nothing comes back: cut off when TCP says so, stalled when it takes too long. New
 * questions get a fresh link, and once that is up this one is given up; or it speaks again. */
static void check_silence(struct secure *secure, struct link *link, uint64_t then)
{
	if (link->question_count == 0) {
		if (link->doubtful != UINT64_MAX) /* silent to the end */
			link_end(link, LINK_LOST);
		return;
	}
	uint64_t silent_ms = silence_ms(link, oldest_on(link, false), then);
	if (silent_ms < DOUBT_MS) {
		link->doubtful = UINT64_MAX;
		return;
	}
	bool is_cut = link_is_cut(link);
	if (link->doubtful == UINT64_MAX &&
		(is_cut || silence_ms(link, oldest_on(link, true), then) >= STALL_MS)) {
		link->doubtful = secure->links.serial;
		if (links_usable(&secure->links) == 0)
			want_link(secure);
	}
	if (is_cut && silent_ms >= LOST_MS)
		link_end(link, LINK_LOST);
}

static void check_idle(struct secure *secure, struct link *link, uint64_t now)
{
	uint64_t step_ms = now - secure->ticked_ms; /* the next tick is about as far away */
	if (link->question_count > 0 || link->busy_ms >= secure->ticked_ms ||
		now - link->busy_ms + step_ms < secure->idle.limit_ms)
		return;
	idle_limit_on_own_close(&secure->idle);
	link_end(link, LINK_DONE);
}

static void secure_tick(struct exchange *exchange, uint64_t now)
{
	struct secure *secure = secure_of(exchange);
	if (secure->closed)
		return;
	/* Silence is what was there at the tick before: when this one is late, because we were
	 * not given the processor or the machine slept, the answers are waiting to be read. */
	uint64_t then = secure->ticked_ms;
	notice_silence(secure, then);
	if (secure->closed)
		return;
	struct list *next;
	for (struct list *node = secure->links.all.next; node != &secure->links.all; node = next) {
		struct link *link = container_of(node, struct link, in_links);
		next = node->next;
		if (!link_is_up(link))
			continue;
		check_silence(secure, link, then);
		check_idle(secure, link, now);
	}
	if (!dial_tick(&secure->dial, now))
		on_dial_failed(secure);
	if (!list_is_empty(&secure->waiting))
		serve_waiting(secure);
	secure->ticked_ms = now;
	secure_work(exchange);
}

static bool secure_is_busy(const struct exchange *exchange)
{
	const struct secure *secure = secure_of_const(exchange);
	return secure->questions.in_flight > 0 || secure->dial.on;
}

static bool secure_has_sockets(const struct exchange *exchange)
{
	return !list_is_empty(&secure_of_const(exchange)->links.all);
}

/* --- from outside --- */

static void secure_take_addresses(
	struct exchange *exchange, const struct address *addresses, size_t count)
{
	struct secure *secure = secure_of(exchange);
	secure->bootstrapping = false;
	if (secure->closed)
		return;
	if (count > 0) {
		reach_take(&secure->dial.reach, addresses, count);
		serve_waiting(secure);
	} else if (secure->dial.reach.count == 0) {
		reach_on_failure(&secure->dial.reach, now_ms(secure), now_ms(secure));
		dial_tell_trouble(&secure->dial, "no address", "bootstrap",
			secure->exchange.upstream->host, NULL);
		do_without(secure);
	}
}

/* What is in flight is asked again, and this is not its fault: it may be replayed once more. */
static void secure_distrust(struct exchange *exchange)
{
	struct secure *secure = secure_of(exchange);
	if (secure->closed)
		return;
	reach_on_success(&secure->dial.reach);
	dial_end(&secure->dial);
	struct list *node;
	while ((node = list_take_first(&secure->links.all))) {
		struct link *link = container_of(node, struct link, in_links);
		while (!list_is_empty(&link->questions)) {
			struct question *question =
				container_of(link->questions.next, struct question, place);
			question_lift(secure, question);
			question_wait(secure, question);
		}
		links_drop(link);
	}
	upstream_gauge_set(&exchange->counters.connections, 0);
	serve_waiting(secure);
}

/* --- life --- */

static struct link_host link_host_of(struct secure *secure, struct tls_client *tls)
{
	const struct upstream_config *upstream = secure->exchange.upstream;
	const struct exchange_host *host = secure->exchange.host;
	return (struct link_host){ .loop = host->loop,
		.asker = secure->is_dot ? &asker_dot : &asker_doh,
		.settings = { .authority = upstream->authority,
			.path = upstream->path,
			.use_get = upstream->use_get },
		.tls = tls,
		.port = upstream->port,
		.plain_buffer = host->plain_buffer,
		.cipher_buffer = host->cipher_buffer,
		.events = &link_events,
		.context = secure };
}

static struct exchange *secure_open(struct exchange_host *host,
	const struct upstream_config *upstream, struct tls_client *tls, unsigned index)
{
	struct secure *secure = calloc(1, sizeof *secure);
	if (!secure)
		return NULL;
	if (!questions_init(&secure->questions)) {
		free(secure);
		return NULL;
	}
	secure->exchange = (struct exchange){
		.type = &exchange_secure, .host = host, .upstream = upstream, .index = index
	};
	secure->is_dot = upstream->protocol == UPSTREAM_DOT;
	secure->host = link_host_of(secure, tls);
	links_init(&secure->links);
	secure->dial = (struct dial){
		.exchange = &secure->exchange, .host = &secure->host, .links = &secure->links
	};
	if (upstream->address_count > 0)
		reach_take(&secure->dial.reach, upstream->addresses, upstream->address_count);
	else if (!upstream->host)
		reach_take(&secure->dial.reach, &upstream->address, 1);
	idle_limit_init(&secure->idle);
	list_init(&secure->fresh);
	list_init(&secure->quiet);
	list_init(&secure->waiting);
	list_init(&secure->done);
	return &secure->exchange;
}

static void secure_close(struct exchange *exchange)
{
	struct secure *secure = secure_of(exchange);
	if (secure->closed)
		return;
	secure->closed = true;
	while (!list_is_empty(&secure->links.all))
		links_drop(container_of(secure->links.all.next, struct link, in_links));
	if (secure->started)
		link_host_stop(&secure->host);
}

static bool secure_is_closed(const struct exchange *exchange)
{
	const struct secure *secure = secure_of_const(exchange);
	return secure->closed && secure->host.handles == 0;
}

static void secure_free(struct exchange *exchange)
{
	struct secure *secure = secure_of(exchange);
	questions_deinit(&secure->questions);
	free(secure);
}

const struct exchange_type exchange_secure = {
	.open = secure_open,
	.close = secure_close,
	.is_closed = secure_is_closed,
	.free = secure_free,
	.ask = secure_ask,
	.work = secure_work,
	.tick = secure_tick,
	.is_busy = secure_is_busy,
	.has_sockets = secure_has_sockets,
	.distrust = secure_distrust,
	.take_addresses = secure_take_addresses,
};
