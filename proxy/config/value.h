/* value.h - one value of the file into one field: every type that the schema knows. */
#ifndef PROXY_CONFIG_VALUE_H
#define PROXY_CONFIG_VALUE_H

#include "proxy/config/schema.h"

struct value_reader {
	struct config_errors *errors;
	struct arena *memory;  /* of what the configuration keeps: texts, addresses, networks */
	struct arena *scratch; /* of what only the draft needs */
	const char *directory; /* relative paths start here */
	bool no_memory;
};

/* Reads a setting into the field of its key. False after the problem was told; then the field is
 * as it was (0; DRAFT_NO_WORD for words), lists hold what was right in them. Not for groups. */
bool value_read(struct value_reader *reader, const struct schema_key *key,
	const struct setting *setting, void *to);

/* The default of a key into its field. */
void value_preset(struct value_reader *reader, const struct schema_key *key, void *to);

/* Memory for `count` elements of a list; NULL when out of memory, which is told once, later. */
void *value_take(struct value_reader *reader, struct arena *from, size_t count, size_t size);

#endif
