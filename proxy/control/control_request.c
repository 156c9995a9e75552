#include "proxy/control/control_request.h"

static bool is_printable(uint8_t byte)
{
	return byte > ' ' && byte < 0x7f;
}

bool control_request_read(struct control_request *request, struct slice line)
{
	request->count = 0;
	for (size_t at = 0; at < line.len;) {
		size_t start = at;
		while (at < line.len && is_printable(line.at[at]))
			at++;
		if (at > start && request->count == CONTROL_WORDS_MAX)
			return false;
		if (at > start)
			request->words[request->count++] = slice_of(line.at + start, at - start);
		if (at < line.len && line.at[at++] != ' ')
			return false;
	}
	return request->count > 0;
}
