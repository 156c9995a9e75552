/* doh_asker.c - DNS over HTTPS, the client's side of HTTP/2 (RFC 8484, RFC 9113), by nghttp2.
 *
 * A question lives from ask() to the close of its stream, also when it is over before (answered,
 * failed, cancelled); so what counts as in flight is what nghttp2 and the peer may still have. Its
 * one buffer holds first the question, then the answer.
 *
 * nghttp2 resets some streams by itself, and such a stream ends only when the reset is written.
 * feed() writes at once, so that whoever asked hears of it from there; a question that ends while
 * drain() writes (the peer had stopped reading) is told by the next feed().
 *
 * What a peer may cost us is bounded here: questions at once, bytes of an answer (doh_message.c),
 * bytes of its fields, and frames that lead to no answer. */
#include "proxy/framing/asker.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "base/writer.h"
#include "proxy/framing/base64url.h"
#include "proxy/framing/doh_message.h"
#include "proxy/framing/h2.h"

enum {
	HEADER_LEN = 12,        /* a shorter message is none */
	FIELDS_MAX = 16 * 1024, /* of an answer: names, values and 32 each, RFC 9113 6.5.2 */
	AGE_MAX_S = INT32_MAX,  /* RFC 9111 1.2.2 */
	PATH_LEN_MAX = 2048,    /* of a GET; longer ones go by POST */
	WINDOW = 1024 * 1024,   /* of the connection; the default would be few answers a round trip
				 */
	CANCELLED_MAX = ASKER_QUESTIONS_MAX / 2, /* without an answer: then another connection */
	HEADERS_AHEAD_MAX = 32,                  /* of questions whose bodies wait behind them */
	AHEAD_MAX = 64 * 1024,
	AHEAD_STEP = 4096,
};

struct question {
	struct list in_open; /* or in untold */
	uint32_t number;
	int32_t stream;
	int untold;           /* why it failed, while drain() wrote */
	bool over;            /* no event follows any more */
	bool reset;           /* by us; the room that it takes is as good as free */
	bool sent;            /* all of it: from now on the buffer is the answer's */
	bool fields_done;     /* those of the final response; what follows are trailers */
	bool type_right;      /* content-type: application/dns-message */
	uint32_t field_bytes; /* of all its header sections */
	uint32_t body_sent;
	struct asker_http http;
	struct doh_message message;
};

struct asker {
	struct asker_settings settings;
	nghttp2_session *session;
	struct h2_out out;
	struct bytes ahead; /* what feed() wrote; drained first */
	uint64_t asked;
	struct list open;
	struct list untold; /* failed while drain() wrote */
	unsigned open_count;
	unsigned reset_count;   /* of these */
	unsigned cancelled;     /* since the last answer, if only to a cancelled one */
	unsigned idle_frames;   /* since the last question or answer */
	struct asker_http http; /* of the event that is being told */
	bool feeding;
	bool leaving;
	bool broken; /* we told the peer that it did wrong */
	size_t authority_len;
	char authority[];
};

static struct question *question_of(nghttp2_session *session, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(session, stream);
}

static void question_free(struct question *question)
{
	list_remove(&question->in_open);
	doh_message_deinit(&question->message);
	free(question);
}

static void free_all(struct list *questions)
{
	while (!list_is_empty(questions))
		question_free(container_of(questions->next, struct question, in_open));
}

static struct question *find_in(struct list *questions, uint32_t number)
{
	for (struct list *at = questions->next; at != questions; at = at->next) {
		struct question *question = container_of(at, struct question, in_open);
		if (question->number == number && !question->over)
			return question;
	}
	return NULL;
}

/* --- how a question ends --- */

static void fail(struct asker *asker, struct question *question, int error)
{
	question->over = true;
	asker->http = question->http;
	asker->settings.events->on_failed(asker->settings.host, question->number, error);
}

static void tell_untold(struct asker *asker)
{
	struct list *node;
	while ((node = list_take_first(&asker->untold))) {
		struct question *question = container_of(node, struct question, in_open);
		fail(asker, question, question->untold);
		question_free(question);
	}
}

static int reset(struct asker *asker, struct question *question)
{
	if (!question->reset)
		asker->reset_count++;
	question->reset = true;
	return nghttp2_submit_rst_stream(
		asker->session, NGHTTP2_FLAG_NONE, question->stream, NGHTTP2_CANCEL);
}

static int refuse(struct asker *asker, struct question *question, bool ended)
{
	fail(asker, question, ERR_MALFORMED);
	return ended && question->sent ? 0 : reset(asker, question);
}

/* The peer has said all that it wants to say. */
static int conclude(struct asker *asker, struct question *question)
{
	if (question->message.len < HEADER_LEN || !question->sent)
		return refuse(asker, question, true);
	question->over = true;
	asker->idle_frames = 0;
	asker->http = question->http;
	asker->settings.events->on_answer(
		asker->settings.host, question->number, doh_message_bytes(&question->message));
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	struct asker *asker = context;
	struct question *question = question_of(session, id);
	if (!question)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	asker->open_count--;
	asker->reset_count -= question->reset;
	list_remove(&question->in_open);
	/* nghttp2 calls refused what it could not send, and what is above the last one of a
	 * GOAWAY. */
	int error = code == NGHTTP2_REFUSED_STREAM ? ERR_CLOSED : ERR_MALFORMED;
	if (!question->over && !asker->feeding) {
		question->untold = error;
		list_append(&asker->untold, &question->in_open);
		return 0;
	}
	if (!question->over)
		fail(asker, question, error);
	question_free(question);
	return 0;
}

/* --- what comes --- */

static uint32_t number_in(struct slice text, uint32_t most)
{
	uint32_t value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
		uint32_t digit = text.at[i] - (uint32_t)'0';
		if (value > (most - digit) / 10)
			return most;
		value = value * 10 + digit;
	}
	return value;
}

static void take_field(struct question *question, struct slice name, struct slice value)
{
	if (question->fields_done)
		return;
	if (slice_equals_text(name, ":status")) {
		/* One that informs (1xx) may have come before. */
		question->http = (struct asker_http){ .status = number_in(value, 999) };
		question->type_right = false;
	} else if (slice_equals_text(name, "content-type")) {
		question->type_right = doh_is_media_type(value);
	} else if (slice_equals_text(name, "age")) {
		question->http.age_s = number_in(value, AGE_MAX_S);
	}
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct asker *asker = context;
	struct question *question = question_of(session, frame->hd.stream_id);
	(void)flags;
	if (!question || question->over || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	question->field_bytes += (uint32_t)(name_len + value_len + 32);
	if (question->field_bytes > FIELDS_MAX) {
		fail(asker, question, ERR_MALFORMED);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
	}
	take_field(question, slice_of(name, name_len), slice_of(value, value_len));
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	(void)session;
	(void)context;
	/* We have said that we do not want it (RFC 9113 8.4). */
	return frame->hd.type == NGHTTP2_PUSH_PROMISE ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *context)
{
	struct asker *asker = context;
	struct question *question = question_of(session, id);
	(void)flags;
	if (!question || question->over)
		return 0;
	/* An answer to what was not yet asked is none. */
	if (!question->sent || !question->fields_done)
		return refuse(asker, question, false);
	if (doh_message_append(&question->message, slice_of(data, len)))
		return refuse(asker, question, false);
	return 0;
}

/* Of every frame, also of those that are then passed over. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *context)
{
	struct asker *asker = context;
	(void)session;
	(void)head;
	asker->idle_frames++;
	return 0;
}

static bool is_ours(const struct question *question)
{
	return question->http.status == 200 && question->type_right;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct asker *asker = context;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		asker->leaving = true;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (ended)
		asker->cancelled = 0;
	struct question *question = question_of(session, frame->hd.stream_id);
	if (!question || question->over)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && question->http.status >= 200)
		question->fields_done = true;
	if (question->fields_done && !is_ours(question))
		return refuse(asker, question, ended);
	return ended ? conclude(asker, question) : 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct asker *asker = context;
	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		asker->broken = true;
	return 0;
}

/* --- what goes --- */

static ssize_t read_question(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity,
	uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct question *question = source->ptr;
	(void)session;
	(void)id;
	(void)context;
	size_t left = question->message.len - question->body_sent;
	size_t len = left < capacity ? left : capacity;
	memcpy(to, question->message.at + question->body_sent, len);
	question->body_sent += (uint32_t)len;
	if (len < left)
		return (ssize_t)len;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	question->sent = true;
	question->message.len = 0;
	return (ssize_t)len;
}

/* A field that lives as long as the asker. */
#define LASTING_FIELD(name_text, value_text, length)                                               \
	{                                                                                          \
		.name = (uint8_t *)(uintptr_t)(name_text), .namelen = sizeof(name_text) - 1,       \
		.value = (uint8_t *)(uintptr_t)(value_text), .valuelen = (length),                 \
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE              \
	}
#define CONSTANT_FIELD(name_text, value_text)                                                      \
	LASTING_FIELD(name_text, value_text, sizeof(value_text) - 1)

static int32_t submit_post(struct asker *asker, struct question *question, struct slice message)
{
	char text[H2_DECIMAL_MAX];
	struct slice length = h2_decimal(text, message.len);
	const char *path = asker->settings.path;
	const nghttp2_nv fields[] = {
		CONSTANT_FIELD(":method", "POST"),
		CONSTANT_FIELD(":scheme", "https"),
		LASTING_FIELD(":authority", asker->authority, asker->authority_len),
		LASTING_FIELD(":path", path, strlen(path)),
		CONSTANT_FIELD("accept", DOH_MEDIA_TYPE),
		CONSTANT_FIELD("content-type", DOH_MEDIA_TYPE),
		H2_FIELD("content-length", length.at, length.len),
	};
	nghttp2_data_provider body = { .source.ptr = question, .read_callback = read_question };
	if (doh_message_append(&question->message, message))
		return NGHTTP2_ERR_NOMEM;
	return nghttp2_submit_request(
		asker->session, NULL, fields, sizeof fields / sizeof *fields, &body, question);
}

static bool write_get_path(struct writer *to, const char *path, struct slice message)
{
	writer_text(to, path);
	writer_text(to, strchr(path, '?') ? "&dns=" : "?dns=");
	base64url_encode(to, message);
	return !to->failed;
}

/* The path is never to be indexed: it is good for one question, also in the table of whoever passes
 * it on. */
static int32_t submit_get(struct asker *asker, struct question *question, struct slice path)
{
	nghttp2_nv fields[] = {
		CONSTANT_FIELD(":method", "GET"),
		CONSTANT_FIELD(":scheme", "https"),
		LASTING_FIELD(":authority", asker->authority, asker->authority_len),
		H2_FIELD(":path", path.at, path.len),
		CONSTANT_FIELD("accept", DOH_MEDIA_TYPE),
	};
	fields[3].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
	question->sent = true;
	return nghttp2_submit_request(
		asker->session, NULL, fields, sizeof fields / sizeof *fields, NULL, question);
}

static int32_t submit(struct asker *asker, struct question *question, struct slice message)
{
	char text[PATH_LEN_MAX];
	struct writer path = writer_of(text, sizeof text);
	if (asker->settings.use_get && write_get_path(&path, asker->settings.path, message))
		return submit_get(asker, question, writer_slice(&path));
	return submit_post(asker, question, message);
}

/* Streams that the peer and we allow. */
static unsigned streams_max(const struct asker *asker)
{
	uint32_t most = nghttp2_session_get_remote_settings(
		asker->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return most < ASKER_QUESTIONS_MAX ? most : ASKER_QUESTIONS_MAX;
}

static unsigned doh_room(const struct asker *asker)
{
	unsigned most = streams_max(asker);
	return asker->leaving || asker->open_count >= most ? 0 : most - asker->open_count;
}

static int write_ahead(struct asker *asker)
{
	uint8_t step[AHEAD_STEP];
	while (bytes_len(&asker->ahead) < AHEAD_MAX) {
		size_t len = h2_drain(asker->session, &asker->out, step, sizeof step);
		if (len == 0)
			return 0;
		int error = bytes_append(&asker->ahead, step, len);
		if (error)
			return error;
	}
	return 0;
}

static int doh_ask(struct asker *asker, uint32_t number, struct slice message)
{
	if (!nghttp2_session_check_request_allowed(asker->session))
		asker->leaving = true; /* also when there are no stream numbers left */
	if (asker->leaving)
		return ERR_CLOSED;
	if (doh_room(asker) == 0)
		return ERR_BUSY;
	struct question *question = malloc(sizeof *question);
	if (!question)
		return ERR_BUSY;
	memset(question, 0, offsetof(struct question, message));
	doh_message_init(&question->message);
	question->number = number;
	list_init(&question->in_open);
	question->stream = submit(asker, question, message);
	if (question->stream < 0) {
		question_free(question);
		return ERR_BUSY;
	}
	list_append(&asker->open, &question->in_open);
	asker->open_count++;
	asker->idle_frames = 0;
	/* nghttp2 would write the headers of all questions before the body of any. That looks like
	 * an attack: BIND closes a connection on which the first fifty streams bring nothing. */
	if (++asker->asked % HEADERS_AHEAD_MAX == 0 && write_ahead(asker))
		asker->broken = true;
	return 0;
}

static void doh_cancel(struct asker *asker, uint32_t number)
{
	struct question *question = find_in(&asker->untold, number);
	if (question) {
		question_free(question);
		return;
	}
	question = find_in(&asker->open, number);
	if (!question)
		return;
	question->over = true;
	if (question->sent)
		doh_message_deinit(&question->message);
	if (asker->open_count - asker->reset_count > streams_max(asker) / 2)
		reset(asker, question);
	if (++asker->cancelled >= CANCELLED_MAX)
		asker->leaving = true;
}

/* --- the session --- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

static const struct h2_events events = {
	.on_begin_frame = on_begin_frame,
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
}

/* A stream's window stays as it is by default, 65,535 bytes: as much as an answer may have. */
static int submit_settings(struct asker *asker)
{
	static const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, FIELDS_MAX },
	};
	int error = nghttp2_submit_settings(
		asker->session, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof *entries);
	if (error)
		return error;
	return nghttp2_session_set_local_window_size(asker->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

static struct asker *doh_open(const struct asker_settings *settings)
{
	size_t authority_len = strlen(settings->authority);
	struct asker *asker = calloc(1, sizeof *asker + authority_len);
	if (!asker)
		return NULL;
	asker->settings = *settings;
	asker->authority_len = authority_len;
	memcpy(asker->authority, settings->authority, authority_len);
	list_init(&asker->open);
	list_init(&asker->untold);
	bytes_init(&asker->ahead, AHEAD_MAX + AHEAD_STEP);
	if (nghttp2_session_client_new2(&asker->session, callbacks, asker, options)) {
		free(asker);
		return NULL;
	}
	if (submit_settings(asker)) {
		nghttp2_session_del(asker->session);
		free(asker);
		return NULL;
	}
	return asker;
}

static void doh_free(struct asker *asker)
{
	/* nghttp2_session_del() forgets its streams without a word to us. */
	free_all(&asker->open);
	free_all(&asker->untold);
	nghttp2_session_del(asker->session);
	bytes_deinit(&asker->ahead);
	free(asker);
}

static int receive(struct asker *asker, struct slice plain)
{
	ssize_t taken = nghttp2_session_mem_recv(asker->session, plain.at, plain.len);
	if (taken == NGHTTP2_ERR_FLOODED || asker->idle_frames > H2_IDLE_FRAMES_MAX) {
		nghttp2_session_terminate_session(asker->session, NGHTTP2_ENHANCE_YOUR_CALM);
		return ERR_TOO_LONG;
	}
	if (taken < 0)
		return ERR_MALFORMED;
	int error = nghttp2_session_want_write(asker->session) ? write_ahead(asker) : 0;
	if (error)
		return error;
	if (asker->broken)
		return ERR_MALFORMED;
	bool open = nghttp2_session_want_read(asker->session) ||
		nghttp2_session_want_write(asker->session);
	return open ? 0 : ERR_CLOSED;
}

static int doh_feed(struct asker *asker, struct slice plain)
{
	asker->feeding = true;
	tell_untold(asker);
	int error = receive(asker, plain);
	asker->feeding = false;
	return error;
}

static size_t doh_drain(struct asker *asker, uint8_t *to, size_t capacity)
{
	size_t len = bytes_take(&asker->ahead, to, capacity);
	if (bytes_len(&asker->ahead) > 0)
		return len;
	return len + h2_drain(asker->session, &asker->out, to + len, capacity - len);
}

static bool doh_is_leaving(const struct asker *asker)
{
	return asker->leaving;
}

static struct asker_http doh_http(const struct asker *asker)
{
	return asker->http;
}

static uint64_t doh_strays(const struct asker *asker)
{
	(void)asker;
	return 0; /* nobody can answer a stream that was not opened */
}

const struct asker_type asker_doh = {
	.open = doh_open,
	.free = doh_free,
	.ask = doh_ask,
	.cancel = doh_cancel,
	.feed = doh_feed,
	.drain = doh_drain,
	.room = doh_room,
	.is_leaving = doh_is_leaving,
	.http = doh_http,
	.strays = doh_strays,
};
