/* image_fuzz.c - bytes as an image, by somebody who can mend checksums. What opens is looked up,
 * walked, and built from.
 *
 * Input: a byte of options (1: mend length and checksum), a byte with the length of a name, that
 * name in wire form, then the image. Checked: what a look-up finds is an entry of its list; an
 * image that is built from it opens. */
#include "rules/image_build.h"
#include "rules/image_layout.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static void mend(uint8_t *bytes, size_t len)
{
	uint64_t written = htole64(len);
	if (len < IMAGE_HEADER_LEN)
		return;
	memcpy(bytes, IMAGE_MAGIC, 12);
	memcpy(bytes + offsetof(struct image_header, len), &written, sizeof written);
	image_checksum(slice_of(bytes, len), bytes + IMAGE_HASH_AT);
}

static void check_matches(const struct image *image, const struct image_matches *matches)
{
	for (unsigned i = 0; i < IMAGE_LISTS_MAX; i++) {
		if (!image_matches_have(matches, i))
			continue;
		MUST(i < image_list_count(image));
		MUST(image->facets[matches->entries[i].facet].list == i);
	}
}

static void look_up(const struct image *image, struct slice name)
{
	static const uint16_t types[] = { 1, 28 };
	struct image_matches matches;
	struct address address = { { 0 } };
	for (size_t i = 0; i < 2; i++) {
		image_find(image, name, types[i], &matches);
		check_matches(image, &matches);
		for (uint16_t list = 0; list < image_list_count(image); list++)
			if (image_matches_have(&matches, list))
				(void)image_holds(image, list, name, &matches.entries[list]);
		memcpy(address.bytes, name.at, name.len < 16 ? name.len : 16);
		image_find_address(image, &address, types[i], &matches);
		check_matches(image, &matches);
	}
}

static bool on_entry(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	const struct image *image = context;
	MUST(dns_name_check(name) == name.len && name.len > 0);
	MUST(kind >= PATTERN_EXACT && kind <= PATTERN_BOTH);
	MUST(image_facet(image, facet)->effect < FACET_EFFECTS);
	look_up(image, name);
	return true;
}

static bool on_network(void *context, const struct network *network, uint16_t facet)
{
	struct image_matches matches = { .lists = { 0 } };
	MUST(network->prefix_len <= 128);
	MUST(image_facet(context, facet)->given < GIVEN_COUNT);
	image_find_address(context, &network->address, 1, &matches);
	return true;
}

static void build_from(const struct image *image, uint64_t salt)
{
	struct image_builder *builder = image_builder_new(salt);
	struct slice bytes;
	const char *why;
	MUST(builder);
	int error = 0;
	for (uint16_t i = 0; i < image_list_count(image) && !error; i++)
		error = image_take_list(builder, image, i);
	if (image_build(builder, &bytes, NULL, NULL) == 0) {
		struct image *built = image_open(bytes, &why);
		MUST(built);
		image_close(built);
		free((void *)(uintptr_t)bytes.at);
	}
	image_builder_free(builder);
}

static void use(struct image *image, struct slice name)
{
	if (name.len > 0)
		look_up(image, name);
	for (uint16_t i = 0; i < image_list_count(image); i++) {
		MUST(strlen(image_list(image, i)->name) < image_bytes(image).len);
		image_each(image, i, on_entry, image);
		image_each_network(image, i, on_network, image);
	}
	MUST(image_false_hit(image, 10) >= 0);
	build_from(image, image_salt(image));
	build_from(image, image_salt(image) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(slice_of(data, size));
	uint8_t options = reader_u8(&r);
	struct slice name = reader_bytes(&r, reader_u8(&r));
	size_t len = reader_left(&r);
	void *bytes = NULL;
	const char *why = NULL;
	if (r.failed || len > 1 << 16)
		return 0;
	name.len = dns_name_check(name);
	MUST(posix_memalign(&bytes, IMAGE_ALIGN, len ? len : 1) == 0);
	memcpy(bytes, r.at, len);
	if (options & 1)
		mend(bytes, len);
	struct image *image = image_open(slice_of(bytes, len), &why);
	MUST(image || why);
	if (image)
		use(image, name);
	image_close(image);
	free(bytes);
	return 0;
}
