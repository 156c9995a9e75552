/* exceptions_text_fuzz.c - any bytes as the file of exceptions. What is taken up is whole, and the
 * same once it is written and read again. */
#include "proxy/exceptions/exceptions_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static void check(const struct exceptions_kept *kept)
{
	MUST(kept->count <= EXCEPTIONS_MAX && kept->next_id >= 1);
	for (size_t i = 0; i < kept->count; i++) {
		const struct exception *one = &kept->at[i];
		MUST(one->id >= 1 && one->id < kept->next_id);
		MUST(one->action == ACTION_ALLOW || one->action == ACTION_BLOCK);
		MUST(one->kind >= PATTERN_EXACT && one->kind <= PATTERN_BOTH);
		MUST(dns_name_check(dns_name_slice(&one->name)) == one->name.len);
		MUST(exceptions_text_is_reason(one->because) && *one->by);
		MUST(strlen(one->view) < sizeof one->view && strlen(one->by) < sizeof one->by);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct exceptions_kept kept, again;
	struct bytes text;
	exceptions_text_read(&kept, slice_of(data, size));
	/* A "next" that was less than a number behind it is mended at once. */
	check(&kept);
	bytes_init(&text, EXCEPTIONS_TEXT_MAX);
	MUST(exceptions_text_write(&text, kept.at, kept.count, kept.next_id));
	MUST(exceptions_text_read(&again, bytes_peek(&text)));
	MUST(again.count == kept.count && again.left_out == 0 && again.next_id == kept.next_id);
	for (size_t i = 0; i < kept.count; i++)
		MUST(strcmp(again.at[i].because, kept.at[i].because) == 0 &&
			again.at[i].until_s == kept.at[i].until_s);
	bytes_deinit(&text);
	return 0;
}
