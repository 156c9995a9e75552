/* doh_server.c - DNS over HTTPS, the server's side of HTTP/2 (RFC 8484, RFC 9113), by nghttp2.
 *
 * Streams interleave: the HEADERS of several may come before their DATA, so all state is per
 * stream. A stream lives from its HEADERS to its close; its one buffer holds first the question,
 * then the reply. Replies are looked up by stream number: one that was reset meanwhile is simply
 * not found.
 *
 * What a client may cost us is bounded here: streams at once, bytes of fields, bytes of a body
 * (doh_request.c), resets (nghttp2's own limiter), resets that it makes us send (CVE-2025-8671;
 * every answer that it takes pays for one), and frames that lead to no request.
 *
 * Streams that are closed are forgotten, as nghttp2 would keep a hundred of them for as long as the
 * connection lives. Numbers alone tell which frames come too late (on_head). */
#include "proxy/framing/framer.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/list.h"
#include "base/writer.h"
#include "proxy/framing/doh_request.h"
#include "proxy/framing/h2.h"
#include "proxy/framing/h2_heads.h"
#include "proxy/framing/h2_memory.h"

enum {
	STREAMS_MAX = 100,
	RESET_BURST = 200, /* resets a client may send at once ... */
	RESET_RATE = 20,   /* ... and every second after that */
	FAULTS_MAX = 100,  /* streams that we had to reset, less those that ended well */
};

struct doh_stream {
	struct list in_open;
	struct list in_late; /* while the request is not complete */
	int32_t id;
	struct doh_request request; /* its buffer takes the reply later */
	size_t sent;                /* bytes of the reply that nghttp2 has taken */
	bool asked;                 /* the message was passed on; a reply is due */
	bool replied;
	bool refused;
};

struct framer {
	struct framer_settings settings;
	nghttp2_session *session;
	struct h2_slot *slot; /* in which the session lives */
	struct h2_heads heads;
	struct h2_out out;
	size_t queued;
	struct list open;
	struct list late;     /* oldest first */
	unsigned idle_frames; /* since the last whole request */
	unsigned faults;
	int32_t last_stream;
	int32_t newest;   /* stream that HEADERS came for; above `last_stream` it was not opened */
	int32_t forgiven; /* up to here a body may still be under way to a stream that we ended */
	bool announced;
	bool finished;
};

static struct doh_stream *stream_find(struct framer *framer, int32_t id)
{
	return nghttp2_session_get_stream_user_data(framer->session, id);
}

static void tell_status(struct framer *framer, const struct doh_stream *stream, unsigned status)
{
	framer->settings.events->on_status(framer->settings.host, stream->request.method, status);
}

/* A response without a body. A request that is not complete is told to stop (RFC 9113 8.1). */
static int refuse(struct framer *framer, int32_t id, struct doh_stream *stream, unsigned status)
{
	char text[H2_DECIMAL_MAX];
	struct slice digits = h2_decimal(text, status);
	nghttp2_nv fields[] = {
		H2_FIELD(":status", digits.at, digits.len),
		H2_FIXED_FIELD("content-length", "0"),
		H2_FIXED_FIELD("allow", "GET, HEAD, POST"),
	};
	if (stream->refused || stream->asked)
		return 0;
	stream->refused = true;
	list_remove(&stream->in_late);
	tell_status(framer, stream, status);
	return nghttp2_submit_response(framer->session, id, fields, status == 405 ? 3 : 2, NULL);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct framer *framer = context;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct doh_stream *stream = malloc(sizeof *stream);
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	doh_request_init(&stream->request);
	stream->request.wants_forwarded = framer->settings.wants_forwarded;
	stream->request.wants_json = framer->settings.wants_json;
	stream->id = frame->hd.stream_id;
	stream->sent = 0;
	stream->asked = stream->replied = stream->refused = false;
	list_append(&framer->open, &stream->in_open);
	list_append(&framer->late, &stream->in_late);
	framer->last_stream = frame->hd.stream_id;
	return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct framer *framer = context;
	struct doh_stream *stream =
		nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	(void)flags;
	/* Trailers say nothing that we would want to know. */
	if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		doh_request_field(&stream->request, framer->settings.path, slice_of(name, name_len),
			slice_of(value, value_len));
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *context)
{
	struct doh_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	(void)flags;
	(void)context;
	if (stream && !stream->refused && doh_request_status(&stream->request, false) == 200)
		doh_request_body(&stream->request, slice_of(data, len));
	return 0;
}

static int pass_on(struct framer *framer, int32_t id, struct doh_stream *stream)
{
	framer->idle_frames = 0;
	list_remove(&stream->in_late);
	stream->asked = true;
	const struct framer_claims claims = doh_claims_said(&stream->request.claims);
	framer->settings.events->on_message(
		framer->settings.host, id, &claims, doh_message_bytes(&stream->request.message));
	doh_claims_deinit(&stream->request.claims);
	return 0;
}

static bool is_request_part(uint8_t type)
{
	return type == NGHTTP2_HEADERS || type == NGHTTP2_DATA;
}

static void forgive(struct framer *framer, int32_t id)
{
	if (framer->forgiven < id)
		framer->forgiven = id;
}

/* A request's frame for a stream that is over, or was passed by (RFC 9113 5.1, 5.1.1). */
static bool is_too_late(const struct framer *framer, uint8_t type, int32_t id)
{
	return is_request_part(type) && id <= framer->newest && id > framer->forgiven &&
		!nghttp2_session_find_stream(framer->session, id);
}

/* Of every frame, before nghttp2 sees it: it passes some over without a word. */
static void on_head(struct framer *framer, uint8_t type, int32_t id)
{
	framer->idle_frames++;
	if (framer->newest > framer->last_stream)
		forgive(framer, framer->newest);
	if (is_too_late(framer, type, id))
		nghttp2_session_terminate_session(framer->session, NGHTTP2_STREAM_CLOSED);
	if (type == NGHTTP2_HEADERS && id > framer->newest)
		framer->newest = id;
}

/* What would only grow until the request is complete. Whatever else is wrong with one can wait: its
 * frames may yet turn out to be worse than what they ask for. */
static bool is_refused_at_once(unsigned status)
{
	return status == 413 || status == 431 || status == 503;
}

/* Who must know that we go needs a round trip to hear it (RFC 9113 6.8). */
static bool doh_announce(struct framer *framer)
{
	if (framer->finished || nghttp2_submit_shutdown_notice(framer->session))
		return false;
	framer->announced = true;
	return true;
}

static void doh_finish(struct framer *framer)
{
	if (framer->finished)
		return;
	framer->finished = true;
	nghttp2_submit_goaway(
		framer->session, NGHTTP2_FLAG_NONE, framer->last_stream, NGHTTP2_NO_ERROR, NULL, 0);
}

/* Is it the first of the two GOAWAYs, the one that takes every stream? */
static bool is_notice(const struct framer *framer, const nghttp2_frame *frame)
{
	return framer->announced && !framer->finished && frame->hd.type == NGHTTP2_GOAWAY &&
		frame->goaway.last_stream_id == INT32_MAX;
}

/* We send no other PING. */
static bool is_noticed(const struct framer *framer, const nghttp2_frame *frame)
{
	return framer->announced && frame->hd.type == NGHTTP2_PING &&
		frame->hd.flags & NGHTTP2_FLAG_ACK;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct framer *framer = context;
	if (is_noticed(framer, frame))
		doh_finish(framer);
	if (!is_request_part(frame->hd.type))
		return 0;
	int32_t id = frame->hd.stream_id;
	struct doh_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	if (!stream || stream->asked || stream->refused)
		return 0;
	bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	/* Trailers are HEADERS too, but come behind the body. */
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		doh_request_end_fields(&stream->request);
	unsigned status = doh_request_status(&stream->request, ended);
	if (!ended && !is_refused_at_once(status))
		return 0;
	return status == 200 ? pass_on(framer, id, stream) : refuse(framer, id, stream, status);
}

/* A reset that says more than "no thank you" is the client's fault. Who opens more streams than it
 * may at the very beginning could not have known. */
static bool tells_fault(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_RST_STREAM &&
		frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
		frame->rst_stream.error_code != NGHTTP2_REFUSED_STREAM;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct framer *framer = context;
	framer->faults += tells_fault(frame);
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		forgive(framer, frame->hd.stream_id);
	/* Not submitted together with it: nghttp2 would send it first. */
	if (is_notice(framer, frame))
		nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL);
	/* The only thing that nghttp2 calls an internal error is that its own limiter has had
	 * enough resets. */
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code == NGHTTP2_INTERNAL_ERROR)
		framer->settings.events->on_reset_flood(framer->settings.host);
	struct doh_stream *stream = stream_find(framer, frame->hd.stream_id);
	bool ended = frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (!ended || !stream || !stream->refused)
		return 0;
	/* Early refusal: the rest of the body is not wanted. Without effect when it is complete. */
	if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
		return nghttp2_submit_rst_stream(
			session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static void stream_free(struct framer *framer, struct doh_stream *stream)
{
	if (stream->replied)
		framer->queued -= stream->request.message.len - stream->sent;
	else if (stream->asked)
		framer->settings.events->on_abandoned(framer->settings.host, stream->id);
	list_remove(&stream->in_open);
	list_remove(&stream->in_late);
	doh_request_deinit(&stream->request);
	free(stream);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	struct framer *framer = context;
	struct doh_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	if (!stream)
		return 0;
	if (code == NGHTTP2_NO_ERROR && stream->replied && framer->faults > 0)
		framer->faults--;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	stream_free(framer, stream);
	return 0;
}

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct framer *framer = context;
	struct doh_stream *stream = source->ptr;
	(void)session;
	(void)id;
	size_t left = stream->request.message.len - stream->sent;
	size_t len = left < capacity ? left : capacity;
	memcpy(to, stream->request.message.at + stream->sent, len);
	stream->sent += len;
	framer->queued -= len;
	if (len == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static int doh_reply(struct framer *framer, int32_t id, struct slice message, uint32_t max_age_s)
{
	struct doh_stream *stream = stream_find(framer, id);
	if (!stream || stream->replied || stream->refused)
		return 0;
	unsigned status = doh_request_answer(&stream->request, message);
	if (status != 200) {
		stream->asked = false;
		return refuse(framer, id, stream, status);
	}
	char length_text[H2_DECIMAL_MAX], age_text[DOH_CACHE_CONTROL_MAX];
	struct slice length = h2_decimal(length_text, stream->request.message.len);
	struct slice age = doh_cache_control(age_text, max_age_s);
	const char *type = doh_request_answer_type(&stream->request);
	nghttp2_nv fields[] = {
		H2_FIXED_FIELD(":status", "200"),
		H2_FIELD("content-type", type, strlen(type)),
		H2_FIELD("content-length", length.at, length.len),
		H2_VARYING_FIELD("cache-control", age.at, age.len),
	};
	nghttp2_data_provider body = { .source.ptr = stream, .read_callback = read_reply };
	bool head_only = stream->request.method == HTTP_HEAD;
	tell_status(framer, stream, 200);
	stream->replied = true;
	if (head_only)
		stream->request.message.len = 0;
	framer->queued += stream->request.message.len;
	return nghttp2_submit_response(framer->session, id, fields, 4, head_only ? NULL : &body);
}

static void doh_reject(struct framer *framer, int32_t id, unsigned status)
{
	struct doh_stream *stream = stream_find(framer, id);
	if (!stream || stream->replied)
		return;
	stream->asked = false;
	refuse(framer, id, stream, status);
}

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

static const struct h2_events events = {
	.on_begin_headers = on_begin_headers,
	.on_header = on_header,
	.on_data = on_data,
	.on_frame = on_frame,
	.on_frame_sent = on_frame_sent,
	.on_stream_close = on_stream_close,
};

/* Shared by all sessions of all workers; filled before main() and never written again. */
__attribute__((constructor)) static void fill_shared(void)
{
	h2_begin(&callbacks, &options, &events);
#ifdef HAVE_NGHTTP2_STREAM_RESET_RATE_LIMIT
	nghttp2_option_set_stream_reset_rate_limit(options, RESET_BURST, RESET_RATE);
#endif
}

static int submit_settings(struct framer *framer)
{
	static const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, DOH_HEADER_LIST_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	return nghttp2_submit_settings(
		framer->session, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof *entries);
}

static bool session_open(struct framer *framer)
{
	nghttp2_mem memory = h2_slot_memory(framer->slot);
	nghttp2_session *session;
	if (nghttp2_session_server_new3(&session, callbacks, framer, options, &memory))
		return false;
	framer->session = session;
	return submit_settings(framer) == 0;
}

static void session_close(struct framer *framer)
{
	nghttp2_session_del(framer->session);
	if (framer->slot)
		h2_slot_give_back(framer->slot);
}

static struct framer *doh_open(const struct framer_settings *settings)
{
	struct framer *framer = calloc(1, sizeof *framer);
	if (!framer)
		return NULL;
	framer->settings = *settings;
	h2_heads_init(&framer->heads, NGHTTP2_CLIENT_MAGIC_LEN);
	list_init(&framer->open);
	list_init(&framer->late);
	framer->slot = h2_slot_take();
	if (framer->slot && session_open(framer))
		return framer;
	session_close(framer);
	free(framer);
	return NULL;
}

static void doh_free(struct framer *framer)
{
	/* nghttp2_session_del() forgets its streams without a word to us. */
	while (!list_is_empty(&framer->open))
		stream_free(framer, container_of(framer->open.next, struct doh_stream, in_open));
	session_close(framer);
	free(framer);
}

static bool is_at_end(const struct framer *framer)
{
	return framer->out.len == 0 && !nghttp2_session_want_read(framer->session) &&
		!nghttp2_session_want_write(framer->session);
}

/* Frame by frame; 0, or an error of nghttp2's. */
static ssize_t feed_frames(struct framer *framer, struct slice plain)
{
	ssize_t taken = 0;
	while (plain.len > 0 && taken >= 0) {
		bool is_head;
		size_t len = h2_heads_take(&framer->heads, plain, &is_head);
		if (is_head)
			on_head(framer, h2_heads_type(&framer->heads),
				h2_heads_stream(&framer->heads));
		taken = nghttp2_session_mem_recv(framer->session, plain.at, len);
		plain = slice_of(plain.at + len, plain.len - len);
	}
	return taken;
}

static int doh_feed(struct framer *framer, struct slice plain)
{
	ssize_t taken = feed_frames(framer, plain);
	bool resets = framer->faults > FAULTS_MAX;
	bool frames = taken == NGHTTP2_ERR_FLOODED || framer->idle_frames > H2_IDLE_FRAMES_MAX;
	if (resets)
		framer->settings.events->on_reset_flood(framer->settings.host);
	if (resets || frames) {
		nghttp2_session_terminate_session(framer->session, NGHTTP2_ENHANCE_YOUR_CALM);
		return resets ? ERR_CLOSED : ERR_TOO_LONG;
	}
	if (taken < 0)
		return ERR_MALFORMED;
	return is_at_end(framer) ? ERR_CLOSED : 0;
}

static size_t doh_drain(struct framer *framer, uint8_t *to, size_t capacity)
{
	return h2_drain(framer->session, &framer->out, to, capacity);
}

static uint64_t doh_late_request(const struct framer *framer)
{
	if (list_is_empty(&framer->late))
		return 0;
	return (uint64_t)container_of(framer->late.next, struct doh_stream, in_late)->id;
}

static size_t doh_queued(const struct framer *framer)
{
	return framer->queued;
}

static bool doh_is_finished(const struct framer *framer)
{
	return (framer->finished && list_is_empty(&framer->open)) || is_at_end(framer);
}

const struct framer_type framer_doh2 = {
	.open = doh_open,
	.free = doh_free,
	.feed = doh_feed,
	.reply = doh_reply,
	.reject = doh_reject,
	.drain = doh_drain,
	.announce = doh_announce,
	.finish = doh_finish,
	.late_request = doh_late_request,
	.queued = doh_queued,
	.is_finished = doh_is_finished,
};
