/* doh1_server.c - DNS over HTTPS, the server's side of HTTP/1.1 (RFC 8484, RFC 9112).
 *
 * Requests come one behind the other, and so must their answers, in whatever order we have them: an
 * exchange lives from its head until its answer is written, and an answer waits for those before
 * it. How many requests are read ahead of their answers is bounded (framer_settings.requests_max);
 * what came beyond waits unread. As over HTTP/2, the one buffer of an exchange holds first the
 * question, then the reply.
 *
 * Where a request ends must never be in doubt, or what one client sends becomes another's request
 * behind a proxy that reads it differently (request smuggling): http1.c and http1_chunks.c refuse
 * whatever has two meanings, and after a refusal for that the connection says so and ends.
 *
 * Answers have no Date (RFC 9110 6.6.1): nothing here knows the time, and max-age needs none. */
#include "proxy/framing/framer.h"

#include <stdlib.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "base/writer.h"
#include "proxy/framing/doh_request.h"
#include "proxy/framing/http1.h"
#include "proxy/framing/http1_chunks.h"

enum {
	HEAD_MAX = DOH_HEADER_LIST_MAX, /* bytes with the request line */
	INPUT_MAX = 128 * 1024,         /* a head, and what one read may bring beyond it */
	OUT_MAX = 8 * 1024 * 1024,      /* reading stops long before; this is the last guard */
	RESPONSE_HEAD_MAX = 512,
	NAME_MAX_OF_OURS = 32, /* no field that we look at has a longer name */
};

/* What the next byte of the client belongs to. */
enum reading {
	READING_HEAD,
	READING_BODY,
	READING_CHUNKS,
	READING_NOTHING, /* no request any more: the last one has been read, or one was refused */
	READING_COUNT,
};

struct exchange {
	struct list in_open;
	int32_t id;
	struct doh_request request; /* its buffer takes the reply later */
	unsigned status;            /* of the answer; 0: there is none yet */
	uint32_t max_age_s;
	bool asked;         /* the message was passed on; a reply is due */
	bool owes_continue; /* the client sends its body when it has heard "100" */
	bool says_keep;     /* HTTP/1.0, and the connection stays open */
	bool is_last;       /* the connection ends behind its answer */
};

struct framer {
	struct framer_settings settings;
	enum reading reading;
	struct exchange *current; /* whose body is read; NULL: it is thrown away */
	uint64_t body_left;
	struct http1_chunks chunks;
	size_t body_bytes; /* of the body so far */
	size_t scanned;    /* bytes of the head that were looked through */
	int32_t last_id;
	struct bytes in; /* what came and was not read */
	struct bytes out;
	struct list open; /* oldest first: the order of the answers */
	unsigned open_count;
	bool is_asking; /* the host is in on_message: what it looks at must stay */
	bool out_of_memory;
};

/* ---- answers ---- */

static void write_field(struct writer *to, const char *name, struct slice value)
{
	writer_text(to, name);
	writer_text(to, ": ");
	writer_slice_bytes(to, value);
	writer_text(to, "\r\n");
}

static void write_head(struct writer *to, const struct exchange *exchange)
{
	char age[DOH_CACHE_CONTROL_MAX], digits[20];
	struct writer length = writer_of(digits, sizeof digits);
	const struct doh_request *request = &exchange->request;
	writer_decimal(&length, request->message.len);
	writer_text(to, "HTTP/1.1 ");
	writer_decimal(to, exchange->status);
	writer_text(to, " ");
	writer_text(to, http1_reason(exchange->status));
	writer_text(to, "\r\n");
	if (exchange->status == 200) {
		write_field(to, "content-type", slice_of_text(doh_request_answer_type(request)));
		write_field(to, "cache-control", doh_cache_control(age, exchange->max_age_s));
	}
	write_field(to, "content-length", writer_slice(&length));
	if (exchange->status == 405)
		write_field(to, "allow", slice_of_text("GET, HEAD, POST"));
	if (exchange->is_last)
		write_field(to, "connection", slice_of_text("close"));
	else if (exchange->says_keep)
		write_field(to, "connection", slice_of_text("keep-alive"));
	writer_text(to, "\r\n");
}

static void append(struct framer *framer, struct slice bytes)
{
	framer->out_of_memory |=
		bytes.len > 0 && bytes_append(&framer->out, bytes.at, bytes.len) != 0;
}

static void write_answer(struct framer *framer, const struct exchange *exchange)
{
	char text[RESPONSE_HEAD_MAX];
	struct writer head = writer_of(text, sizeof text);
	write_head(&head, exchange);
	append(framer, writer_slice(&head));
	if (exchange->request.method != HTTP_HEAD)
		append(framer, doh_message_bytes(&exchange->request.message));
}

static void exchange_free(struct framer *framer, struct exchange *exchange)
{
	list_remove(&exchange->in_open);
	framer->open_count--;
	doh_request_deinit(&exchange->request);
	free(exchange);
}

static struct exchange *first_open(const struct framer *framer)
{
	if (list_is_empty(&framer->open))
		return NULL;
	return container_of(framer->open.next, struct exchange, in_open);
}

/* All that may be said now: answers up to the first that we do not have. */
static void write_answers(struct framer *framer)
{
	struct exchange *exchange = NULL;
	while (!framer->is_asking && (exchange = first_open(framer)) && exchange->status) {
		write_answer(framer, exchange);
		exchange_free(framer, exchange);
	}
	if (!exchange || !exchange->owes_continue)
		return;
	exchange->owes_continue = false;
	append(framer, slice_of_text("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* The answer is known. A refusal has no body, and the rest of its request is not looked at. */
static void answer(struct framer *framer, struct exchange *exchange, unsigned status)
{
	if (status != 200)
		exchange->request.message.len = 0;
	if (framer->current == exchange)
		framer->current = NULL;
	exchange->status = status;
	exchange->owes_continue = false;
	framer->settings.events->on_status(framer->settings.host, exchange->request.method, status);
	write_answers(framer);
}

/* ---- requests ---- */

static struct exchange *exchange_new(struct framer *framer)
{
	struct exchange *exchange = malloc(sizeof *exchange);
	if (!exchange)
		return NULL;
	doh_request_init(&exchange->request);
	exchange->request.wants_forwarded = framer->settings.wants_forwarded;
	exchange->request.wants_json = framer->settings.wants_json;
	exchange->id = ++framer->last_id;
	exchange->status = 0;
	exchange->max_age_s = 0;
	exchange->asked = exchange->owes_continue = false;
	exchange->says_keep = exchange->is_last = false;
	list_append(&framer->open, &exchange->in_open);
	framer->open_count++;
	return exchange;
}

/* What comes behind this request is nothing that we could understand, or nothing that we want. */
static void refuse_all(struct framer *framer, struct exchange *exchange, unsigned status)
{
	framer->reading = READING_NOTHING;
	if (!exchange)
		return;
	exchange->is_last = true;
	answer(framer, exchange, status);
}

static void pass_on(struct framer *framer, struct exchange *exchange)
{
	const struct framer_claims claims = doh_claims_said(&exchange->request.claims);
	exchange->asked = true;
	framer->is_asking = true;
	framer->settings.events->on_message(framer->settings.host, exchange->id, &claims,
		doh_message_bytes(&exchange->request.message));
	framer->is_asking = false;
	doh_claims_deinit(&exchange->request.claims);
	write_answers(framer);
}

/* The request is complete. */
static void end_request(struct framer *framer)
{
	struct exchange *exchange = framer->current;
	framer->reading = READING_HEAD;
	framer->current = NULL;
	if (!exchange)
		return;
	exchange->owes_continue = false;
	if (exchange->is_last)
		framer->reading = READING_NOTHING;
	unsigned status = doh_request_status(&exchange->request, true);
	if (status == 200)
		pass_on(framer, exchange);
	else
		answer(framer, exchange, status);
}

/* Fields are compared as HTTP/2 spells them. */
static void take_field(
	struct framer *framer, struct exchange *exchange, struct slice name, struct slice value)
{
	char lower[NAME_MAX_OF_OURS];
	if (name.len <= sizeof lower) {
		for (size_t i = 0; i < name.len; i++)
			lower[i] = (char)(name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 0x20
										 : name.at[i]);
		name = slice_of(lower, name.len);
	}
	doh_request_field(&exchange->request, framer->settings.path, name, value);
}

static void take_fields(
	struct framer *framer, struct exchange *exchange, const struct http1_request *request)
{
	take_field(framer, exchange, slice_of_text(":method"), request->method);
	take_field(framer, exchange, slice_of_text(":path"), request->target);
	for (size_t i = 0; i < request->header_count; i++)
		take_field(framer, exchange, request->headers[i].name, request->headers[i].value);
	doh_request_end_fields(&exchange->request);
}

/* RFC 9110 10.1.1. An HTTP/1.0 client does not know what it says. */
static bool expects_continue(const struct http1_request *request)
{
	struct slice value = http1_header(request, "expect");
	static const char wanted[] = "100-continue";
	return !request->is_http_1_0 && value.len == sizeof wanted - 1 &&
		strncasecmp((const char *)value.at, wanted, value.len) == 0;
}

static void begin_body(struct framer *framer, const struct http1_request *request)
{
	framer->reading = request->is_chunked ? READING_CHUNKS : READING_BODY;
	framer->body_left = request->body_len;
	framer->body_bytes = 0;
	framer->chunks = (struct http1_chunks){ 0 };
}

/* `behind` is how many bytes there are behind the head already. A refused request of a size that
 * we would have taken costs only itself. */
static void begin_request(struct framer *framer, struct exchange *exchange,
	const struct http1_request *request, size_t behind)
{
	bool has_body = request->is_chunked || request->body_len > 0;
	bool waits = has_body && expects_continue(request) && behind == 0;
	exchange->is_last = !request->keep_alive || exchange->id == INT32_MAX;
	exchange->says_keep = request->is_http_1_0;
	take_fields(framer, exchange, request);
	begin_body(framer, request);
	framer->current = exchange;
	unsigned status = doh_request_status(&exchange->request, false);
	if (status == 431 || (status != 200 && (waits || request->body_len > DOH_MESSAGE_MAX))) {
		refuse_all(framer, exchange, status);
	} else if (!has_body) {
		end_request(framer);
	} else if (status != 200) {
		if (exchange->is_last)
			framer->reading = READING_NOTHING;
		answer(framer, exchange, status);
	} else if (waits) {
		exchange->owes_continue = true;
		write_answers(framer);
	}
}

static void take_head(struct framer *framer, struct slice *bytes)
{
	struct http1_request request;
	unsigned status;
	enum http1_result result =
		http1_read_head(*bytes, &framer->scanned, HEAD_MAX, &request, &status);
	if (result == HTTP1_MORE)
		return;
	framer->scanned = 0;
	struct exchange *exchange = exchange_new(framer);
	if (!exchange) {
		framer->out_of_memory = true;
		framer->reading = READING_NOTHING;
	} else if (result == HTTP1_REFUSED) {
		refuse_all(framer, exchange, status);
	} else {
		*bytes = slice_of(bytes->at + request.len, bytes->len - request.len);
		begin_request(framer, exchange, &request, bytes->len);
	}
}

/* False when the rest of the body is not read. */
static bool take_piece(struct framer *framer, struct slice data)
{
	struct exchange *exchange = framer->current;
	framer->body_bytes += data.len;
	bool is_too_long = framer->body_bytes > DOH_MESSAGE_MAX;
	unsigned status = is_too_long ? 413 : 200;
	if (exchange) {
		exchange->owes_continue = false;
		exchange->request.too_large |= is_too_long;
		doh_request_body(&exchange->request, data);
		status = doh_request_status(&exchange->request, false);
	}
	if (status != 200)
		refuse_all(framer, exchange, status);
	return status == 200;
}

static void take_body(struct framer *framer, struct slice *bytes)
{
	size_t len = bytes->len < framer->body_left ? bytes->len : (size_t)framer->body_left;
	struct slice data = slice_of(bytes->at, len);
	*bytes = slice_of(bytes->at + len, bytes->len - len);
	framer->body_left -= len;
	if (take_piece(framer, data) && framer->body_left == 0)
		end_request(framer);
}

static void take_chunks(struct framer *framer, struct slice *bytes)
{
	struct slice data;
	unsigned status;
	switch (http1_chunks_read(&framer->chunks, bytes, &data, &status)) {
	case HTTP1_CHUNKS_MORE: return;
	case HTTP1_CHUNKS_DATA: take_piece(framer, data); return;
	case HTTP1_CHUNKS_END: end_request(framer); return;
	default: refuse_all(framer, framer->current, status);
	}
}

static void take_nothing(struct framer *framer, struct slice *bytes)
{
	(void)framer;
	*bytes = slice_of(NULL, 0);
}

static bool doh1_is_full(const struct framer *framer)
{
	return framer->reading == READING_HEAD &&
		framer->open_count >= framer->settings.requests_max;
}

static void take_all(struct framer *framer, struct slice *bytes)
{
	static void (*const takers[READING_COUNT])(struct framer *, struct slice *) = {
		[READING_HEAD] = take_head,
		[READING_BODY] = take_body,
		[READING_CHUNKS] = take_chunks,
		[READING_NOTHING] = take_nothing,
	};
	size_t before;
	do {
		before = bytes->len;
		if (before > 0 && !doh1_is_full(framer))
			takers[framer->reading](framer, bytes);
	} while (bytes->len < before);
}

/* ---- the framer ---- */

static struct framer *doh1_open(const struct framer_settings *settings)
{
	struct framer *framer = calloc(1, sizeof *framer);
	if (!framer)
		return NULL;
	framer->settings = *settings;
	bytes_init(&framer->in, INPUT_MAX);
	bytes_init(&framer->out, OUT_MAX);
	list_init(&framer->open);
	return framer;
}

static void doh1_free(struct framer *framer)
{
	struct exchange *exchange;
	while ((exchange = first_open(framer))) {
		if (exchange->asked && !exchange->status)
			framer->settings.events->on_abandoned(framer->settings.host, exchange->id);
		exchange_free(framer, exchange);
	}
	bytes_deinit(&framer->in);
	bytes_deinit(&framer->out);
	free(framer);
}

static int doh1_feed(struct framer *framer, struct slice plain)
{
	if (bytes_len(&framer->in) == 0)
		take_all(framer, &plain);
	int error = plain.len > 0 ? bytes_append(&framer->in, plain.at, plain.len) : 0;
	if (error)
		return error;
	struct slice waiting = bytes_peek(&framer->in);
	take_all(framer, &waiting);
	bytes_consume(&framer->in, bytes_len(&framer->in) - waiting.len);
	return framer->out_of_memory ? ERR_NO_MEMORY : 0;
}

static struct exchange *find_asked(const struct framer *framer, int32_t id)
{
	for (struct list *node = framer->open.next; node != &framer->open; node = node->next) {
		struct exchange *exchange = container_of(node, struct exchange, in_open);
		if (exchange->id == id)
			return exchange->asked && !exchange->status ? exchange : NULL;
	}
	return NULL;
}

static int doh1_reply(struct framer *framer, int32_t id, struct slice message, uint32_t max_age_s)
{
	struct exchange *exchange = find_asked(framer, id);
	if (!exchange)
		return 0;
	exchange->max_age_s = max_age_s;
	answer(framer, exchange, doh_request_answer(&exchange->request, message));
	return framer->out_of_memory ? ERR_NO_MEMORY : 0;
}

static void doh1_reject(struct framer *framer, int32_t id, unsigned status)
{
	struct exchange *exchange = find_asked(framer, id);
	if (exchange)
		answer(framer, exchange, status);
}

static size_t doh1_drain(struct framer *framer, uint8_t *to, size_t capacity)
{
	return bytes_take(&framer->out, to, capacity);
}

/* A request whose body has begun is finished; one of which there is only a part of a head was not
 * understood yet, and its client may ask again elsewhere (RFC 9112 9.6). */
static void doh1_finish(struct framer *framer)
{
	if (framer->reading == READING_NOTHING)
		return;
	if (!framer->current)
		framer->reading = READING_NOTHING;
	if (!list_is_empty(&framer->open))
		container_of(framer->open.prev, struct exchange, in_open)->is_last = true;
}

static uint64_t doh1_late_request(const struct framer *framer)
{
	if (framer->reading == READING_NOTHING || doh1_is_full(framer))
		return 0;
	if (framer->reading != READING_HEAD)
		return (uint64_t)framer->last_id;
	return bytes_len(&framer->in) > 0 ? (uint64_t)framer->last_id + 1 : 0;
}

static size_t doh1_queued(const struct framer *framer)
{
	return bytes_len(&framer->out);
}

static bool doh1_is_finished(const struct framer *framer)
{
	return framer->reading == READING_NOTHING && list_is_empty(&framer->open) &&
		bytes_len(&framer->out) == 0;
}

const struct framer_type framer_doh1 = {
	.open = doh1_open,
	.free = doh1_free,
	.feed = doh1_feed,
	.reply = doh1_reply,
	.reject = doh1_reject,
	.drain = doh1_drain,
	.finish = doh1_finish,
	.late_request = doh1_late_request,
	.is_full = doh1_is_full,
	.queued = doh1_queued,
	.is_finished = doh1_is_finished,
};
