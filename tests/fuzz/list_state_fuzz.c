/* The state file of lists, read as a stranger's; what was understood is written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/lists/list_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list_state state, again;
	struct bytes text, second;
	if (!list_state_read(&state, slice_of(data, size)))
		return 0;
	bytes_init(&text, LIST_STATE_FILE_MAX);
	bytes_init(&second, LIST_STATE_FILE_MAX);
	if (!list_state_write(&text, &state) || !list_state_read(&again, bytes_peek(&text)) ||
		!list_state_write(&second, &again) ||
		!slice_equals(bytes_peek(&text), bytes_peek(&second)))
		abort();
	bytes_deinit(&text);
	bytes_deinit(&second);
	list_state_deinit(&state);
	list_state_deinit(&again);
	return 0;
}
