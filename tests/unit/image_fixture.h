/* image_fixture.h - images from a few words. */
#ifndef TESTS_UNIT_IMAGE_FIXTURE_H
#define TESTS_UNIT_IMAGE_FIXTURE_H

#include "tests/unit/rules_fixture.h"

#include "rules/image_build.h"

/* Opens bytes that must be good ones. */
static inline struct image *fixture_open(struct slice bytes)
{
	const char *why = NULL;
	struct image *image = image_open(bytes, &why);
	if (!image)
		fail_msg("refused: %s", why);
	return image;
}

/* Closes an image of fixture_open() and frees its bytes. */
static inline void fixture_close(struct image *image)
{
	struct slice bytes = image_bytes(image);
	image_close(image);
	free((void *)(uintptr_t)bytes.at);
}

/* Builds what was added, and frees the builder. */
static inline struct image *fixture_built(
	struct image_builder *builder, image_drop_fn on_drop, void *context)
{
	struct slice bytes;
	assert_int_equal(image_build(builder, &bytes, on_drop, context), 0);
	image_builder_free(builder);
	return fixture_open(bytes);
}

static inline struct image_builder *fixture_builder(uint64_t salt)
{
	struct image_builder *builder = image_builder_new(salt);
	assert_non_null(builder);
	return builder;
}

struct fixture_text {
	const char *name;
	enum list_format format;
	const char *text;
};

static inline struct image *fixture_image(
	const struct fixture_text *texts, size_t count, uint64_t salt)
{
	struct image_builder *builder = fixture_builder(salt);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(image_add_list(builder, texts[i].name, texts[i].format), 0);
		assert_int_equal(
			image_add_text(builder, slice_of_text(texts[i].text), NULL, NULL), 0);
	}
	return fixture_built(builder, NULL, NULL);
}

static inline void assert_same_image(const struct image *one, const struct image *other)
{
	assert_int_equal(image_bytes(one).len, image_bytes(other).len);
	assert_memory_equal(image_bytes(one).at, image_bytes(other).at, image_bytes(one).len);
}

#endif
