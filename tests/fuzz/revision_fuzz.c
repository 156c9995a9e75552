/* What is written down of a revision and of a pin, read as a stranger's; what was understood is
 * written and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/revisions/revision.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void read_revision(struct slice input)
{
	struct revision revision, again;
	struct bytes text, second;
	if (!revision_read(&revision, input))
		return;
	bytes_init(&text, REVISION_TEXT_MAX);
	bytes_init(&second, REVISION_TEXT_MAX);
	check(revision_write(&text, &revision));
	check(revision_read(&again, bytes_peek(&text)));
	check(revision_write(&second, &again));
	check(slice_equals(bytes_peek(&text), bytes_peek(&second)));
	bytes_deinit(&text);
	bytes_deinit(&second);
	revision_deinit(&revision);
	revision_deinit(&again);
}

static void read_pin(struct slice input)
{
	struct revision_pin pin, again;
	struct bytes text;
	if (!revision_pin_read(&pin, input))
		return;
	bytes_init(&text, REVISION_TEXT_MAX);
	check(revision_pin_write(&text, &pin));
	check(revision_pin_read(&again, bytes_peek(&text)));
	check(pin.number == again.number && pin.time_s == again.time_s);
	bytes_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > REVISION_TEXT_MAX / 4) /* what is written is not always shorter */
		return 0;
	read_revision(slice_of(data, size));
	read_pin(slice_of(data, size));
	return 0;
}
