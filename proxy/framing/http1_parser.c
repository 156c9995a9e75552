#include "proxy/framing/http1_parser.h"

#ifdef HAVE_LLHTTP
#include <llhttp.h>
typedef llhttp_t parser_t;
typedef llhttp_settings_t parser_settings_t;
#else
#include <http_parser.h>
typedef http_parser parser_t;
typedef http_parser_settings parser_settings_t;
#endif

/* The libraries tell a text in pieces when it was fed in pieces; ours is fed whole, but nothing is
 * built on that: adjacent pieces are joined. */
struct reading {
	const struct http1_parser_events *events;
	struct slice target;
	struct slice name;
	struct slice value;
	bool has_value;
	bool keep_alive;
};

static void join(struct slice *text, const char *at, size_t len)
{
	if (!text->at)
		text->at = (const uint8_t *)at;
	text->len = (size_t)((const uint8_t *)at + len - text->at);
}

static void header_is_whole(struct reading *reading)
{
	if (reading->name.at && reading->events->on_header)
		reading->events->on_header(reading->events->context, reading->name, reading->value);
	reading->name = slice_of(NULL, 0);
	reading->value = slice_of(NULL, 0);
	reading->has_value = false;
}

static int on_url(parser_t *parser, const char *at, size_t len)
{
	struct reading *reading = parser->data;
	join(&reading->target, at, len);
	return 0;
}

static int on_header_field(parser_t *parser, const char *at, size_t len)
{
	struct reading *reading = parser->data;
	if (reading->has_value)
		header_is_whole(reading);
	join(&reading->name, at, len);
	return 0;
}

static int on_header_value(parser_t *parser, const char *at, size_t len)
{
	struct reading *reading = parser->data;
	reading->has_value = true;
	join(&reading->value, at, len);
	return 0;
}

#ifdef HAVE_LLHTTP

/* Pausing here ends the reading: the body is not the parser's business. */
static int on_headers_complete(parser_t *parser)
{
	struct reading *reading = parser->data;
	header_is_whole(reading);
	reading->keep_alive = llhttp_should_keep_alive(parser);
	return HPE_PAUSED;
}

static int run(
	parser_t *parser, parser_settings_t *settings, struct reading *reading, struct slice head)
{
	llhttp_init(parser, HTTP_REQUEST, settings);
	parser->data = reading;
	return (int)llhttp_execute(parser, (const char *)head.at, head.len);
}

static bool is_done(int error)
{
	return error == HPE_PAUSED;
}

static bool is_unknown_method(int error)
{
	return error == HPE_INVALID_METHOD;
}

#else

static int on_headers_complete(parser_t *parser)
{
	struct reading *reading = parser->data;
	header_is_whole(reading);
	reading->keep_alive = http_should_keep_alive(parser);
	return 2; /* no body, and nothing behind it: the reading ends here */
}

static int run(
	parser_t *parser, parser_settings_t *settings, struct reading *reading, struct slice head)
{
	http_parser_init(parser, HTTP_REQUEST);
	parser->data = reading;
	size_t taken = http_parser_execute(parser, settings, (const char *)head.at, head.len);
	int error = (int)HTTP_PARSER_ERRNO(parser);
	return error == HPE_OK && taken < head.len && !parser->upgrade ? (int)HPE_UNKNOWN : error;
}

static bool is_done(int error)
{
	return error == HPE_OK;
}

static bool is_unknown_method(int error)
{
	return error == HPE_INVALID_METHOD;
}

#endif

bool http1_parser_read(struct slice head, const struct http1_parser_events *events,
	struct http1_parser_result *result)
{
	struct reading reading = { .events = events };
	parser_t parser;
	parser_settings_t settings;
	memset(&parser, 0, sizeof parser);
	memset(&settings, 0, sizeof settings);
	settings.on_url = on_url;
	settings.on_header_field = on_header_field;
	settings.on_header_value = on_header_value;
	settings.on_headers_complete = on_headers_complete;
	*result = (struct http1_parser_result){ 0 };
	int error = run(&parser, &settings, &reading, head);
	result->is_unknown_method = is_unknown_method(error);
	if (!is_done(error))
		return false;
	result->major = parser.http_major;
	result->minor = parser.http_minor;
	result->keep_alive = reading.keep_alive;
	if (events->on_target)
		events->on_target(events->context, reading.target);
	return true;
}
