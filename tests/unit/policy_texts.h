/* policy_texts.h - a policy from the texts of its lists, by way of an image, as tests, fuzz targets
 * and benches want it. */
#ifndef TESTS_UNIT_POLICY_TEXTS_H
#define TESTS_UNIT_POLICY_TEXTS_H

#include "base/error.h"
#include "rules/image_build.h"
#include "rules/policy.h"

#include <stdlib.h>

/* What a list has. `text` is empty when `error` is not 0. */
struct list_text {
	struct slice text;
	int error; /* it could not be loaded */
};

struct policy_texts {
	struct policy *policy;
	struct image *image;
	struct slice bytes; /* of the image */
};

/* Adds a list's text; NULL stands for image_add_text() alone. */
typedef int (*policy_texts_add_fn)(
	struct image_builder *builder, const struct list_text *text, size_t list);

static inline int policy_texts_add(struct image_builder *builder, const struct policy_spec *spec,
	const struct list_text *texts, policy_texts_add_fn add, uint16_t *numbers, int *errors)
{
	uint16_t count = 0;
	int error = 0;
	for (size_t i = 0; i < spec->list_count && !error; i++) {
		errors[i] = texts[i].error;
		numbers[i] = texts[i].error ? POLICY_NO_ID : count++;
		if (texts[i].error)
			continue;
		const char *name = spec->lists[i].name ? spec->lists[i].name : "";
		error = image_add_list(builder, name, spec->lists[i].format);
		if (!error && add)
			error = add(builder, &texts[i], i);
		else if (!error)
			error = image_add_text(builder, texts[i].text, NULL, NULL);
	}
	return error;
}

static inline void policy_texts_free(struct policy_texts *built)
{
	policy_free(built->policy);
	image_close(built->image);
	free((void *)(uintptr_t)built->bytes.at);
	*built = (struct policy_texts){ .policy = NULL };
}

static inline int policy_texts_open(struct policy_texts *built, const struct policy_spec *spec,
	const uint16_t *numbers, const int *errors)
{
	const char *why;
	int error;
	built->image = image_open(built->bytes, &why);
	if (!built->image)
		return ERR_NO_MEMORY;
	const struct policy_lists lists = { built->image, numbers, errors };
	built->policy = policy_build(spec, &lists, &error);
	return error;
}

/* 0 or an error of the parts; then nothing is to be freed. */
static inline int policy_texts_build_with(struct policy_texts *built,
	const struct policy_spec *spec, const struct list_text *texts, uint64_t salt,
	policy_texts_add_fn add)
{
	uint16_t numbers[POLICY_LISTS_MAX];
	int errors[POLICY_LISTS_MAX];
	*built = (struct policy_texts){ .policy = NULL };
	struct image_builder *builder = image_builder_new(salt);
	if (!builder)
		return ERR_NO_MEMORY;
	int error = policy_texts_add(builder, spec, texts, add, numbers, errors);
	if (!error)
		error = image_build(builder, &built->bytes, NULL, NULL);
	image_builder_free(builder);
	if (!error)
		error = policy_texts_open(built, spec, numbers, errors);
	if (error)
		policy_texts_free(built);
	return error;
}

static inline int policy_texts_build(struct policy_texts *built, const struct policy_spec *spec,
	const struct list_text *texts, uint64_t salt)
{
	return policy_texts_build_with(built, spec, texts, salt, NULL);
}

#endif
