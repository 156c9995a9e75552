/* Any bytes as a captured answer: what is taken opens as an answer, and fits. */
#include "proxy/explain/answer_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t name[] = { 1, 'a', 4, 't', 'e', 's', 't', 0 };
	static uint8_t buffer[DNS_MESSAGE_MAX];
	struct answer_text answer;
	struct dns_answer opened;
	size_t capacity = size % 3 == 0 ? size : sizeof buffer;
	if (!answer_text_read(&answer, slice_of(data, size), slice_of(name, sizeof name), 1, buffer,
		    capacity)) {
		if (answer.error[0] == '\0')
			abort();
		return 0;
	}
	if (answer.message.len > capacity || dns_answer_open(&opened, answer.message) != 0)
		abort();
	return 0;
}
