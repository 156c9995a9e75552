/* Which certificate a server name belongs to: open addressing, at most half full, keyed anew for
 * each table. Names come from our own certificates, what is looked up comes from anybody. */
#include <openssl/crypto.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"
#include "tls/private.h"

enum { NAME_TEXT_MAX = 253 };

struct tls_name_slot {
	struct slice name; /* empty: free */
	uint16_t number;
};

bool tls_name_table_init(struct tls_name_table *table, size_t capacity)
{
	*table = (struct tls_name_table){ .slot_count = 16 };
	while (table->slot_count < 2 * capacity)
		table->slot_count *= 2;
	table->slots = OPENSSL_zalloc(table->slot_count * sizeof *table->slots);
	random_fill(table->key, sizeof table->key);
	return table->slots;
}

void tls_name_table_deinit(struct tls_name_table *table)
{
	OPENSSL_free(table->slots);
	*table = (struct tls_name_table){ 0 };
}

/* Where the name is, or would be. */
static struct tls_name_slot *slot_of(const struct tls_name_table *table, struct slice name)
{
	size_t at = (size_t)siphash(table->key, name);
	for (;; at++) {
		struct tls_name_slot *slot = &table->slots[at & (table->slot_count - 1)];
		if (slot->name.len == 0 || slice_equals(slot->name, name))
			return slot;
	}
}

int tls_name_table_add(struct tls_name_table *table, const char *name, uint16_t number)
{
	struct slice text = slice_of(name, strlen(name));
	struct tls_name_slot *slot = slot_of(table, text);
	if (slot->name.len)
		return slot->number;
	*slot = (struct tls_name_slot){ text, number };
	return -1;
}

static int find_exactly(const struct tls_name_table *table, struct slice name)
{
	const struct tls_name_slot *slot = slot_of(table, name);
	return slot->name.len ? slot->number : -1;
}

int tls_name_table_find(const struct tls_name_table *table, struct slice name)
{
	char wildcard[NAME_TEXT_MAX + 2] = "*";
	if (name.len == 0 || name.len > NAME_TEXT_MAX)
		return -1;
	int number = find_exactly(table, name);
	const uint8_t *dot = memchr(name.at, '.', name.len);
	if (number >= 0 || !dot)
		return number;
	size_t len = name.len - (size_t)(dot - name.at);
	memcpy(wildcard + 1, dot, len);
	return find_exactly(table, slice_of(wildcard, len + 1));
}
