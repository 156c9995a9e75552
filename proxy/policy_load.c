#include "proxy/policy_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/lists/list_file.h"
#include "rules/image_build.h"

enum {
	REJECTS_SHOWN = 5, /* of each list; the rest is only counted */
	REJECT_TEXT_MAX = 80,
};

struct loading {
	const struct config *config;
	struct slice *texts; /* of each list; empty where there is an error */
	uint16_t *numbers;   /* in the image */
	int *list_errors;
	uint32_t *reject_counts;
	uint16_t list; /* now being read */
	struct policy_image image;
	struct config_errors *errors;
};

static void read_lists(struct loading *loading)
{
	const struct policy_spec *spec = &loading->config->policy;
	for (size_t i = 0; i < spec->list_count; i++) {
		const struct list_source *source = &loading->config->list_sources[i];
		if (source->url)
			loading->list_errors[i] = ERR_UNREACHABLE;
		else if (spec->lists[i].format == LIST_AUTO)
			loading->list_errors[i] = -EPROTONOSUPPORT;
		else if (spec->lists[i].file)
			loading->list_errors[i] = list_file_read(
				spec->lists[i].file, source->max_size, &loading->texts[i]);
		else
			loading->texts[i] = spec->lists[i].inline_text;
	}
}

static void drop_text(struct loading *loading, size_t list)
{
	struct slice *text = &loading->texts[list];
	if (loading->config->policy.lists[list].file)
		free((void *)(uintptr_t)text->at);
	*text = slice_of(NULL, 0);
}

static bool loading_init(struct loading *loading)
{
	size_t count = loading->config->policy.list_count + 1;
	loading->texts = calloc(count, sizeof *loading->texts);
	loading->numbers = calloc(count, sizeof *loading->numbers);
	loading->list_errors = calloc(count, sizeof *loading->list_errors);
	loading->reject_counts = calloc(count, sizeof *loading->reject_counts);
	return loading->texts && loading->numbers && loading->list_errors && loading->reject_counts;
}

static void loading_deinit(struct loading *loading)
{
	for (size_t i = 0; loading->texts && i < loading->config->policy.list_count; i++)
		drop_text(loading, i);
	free(loading->texts);
	free(loading->numbers);
	free(loading->list_errors);
	free(loading->reject_counts);
	policy_image_free(&loading->image);
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct loading *loading = context;
	const struct domain_list_spec *spec = &loading->config->policy.lists[loading->list];
	if (loading->reject_counts[loading->list]++ >= REJECTS_SHOWN)
		return;
	int shown = text.len < REJECT_TEXT_MAX ? (int)text.len : REJECT_TEXT_MAX;
	log_warning("list %s: %s:%u: %s: \"%.*s\"", spec->name,
		spec->file ? spec->file : loading->config->file, line, list_reject_text(reject),
		shown, (const char *)text.at);
}

static void hash_all(const struct loading *loading, char hex[33])
{
	const struct policy_spec *spec = &loading->config->policy;
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return;
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, loading->config->hash, sizeof loading->config->hash);
	for (size_t i = 0; i < spec->list_count; i++) {
		/* With its length, so that a line that moves to the next list is a change. */
		const struct slice *text = &loading->texts[i];
		XXH3_128bits_update(state, &text->len, sizeof text->len);
		XXH3_128bits_update(state, text->at, text->len);
	}
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
}

static int add_lists(struct loading *loading, struct image_builder *builder)
{
	const struct policy_spec *spec = &loading->config->policy;
	uint16_t count = 0;
	for (size_t i = 0; i < spec->list_count; i++) {
		loading->list = (uint16_t)i;
		loading->reject_counts[i] = 0;
		loading->numbers[i] = POLICY_NO_ID;
		if (loading->list_errors[i])
			continue;
		loading->numbers[i] = count++;
		int error = image_add_list(builder, spec->lists[i].name, spec->lists[i].format);
		if (!error)
			error = image_add_text(builder, loading->texts[i], on_reject, loading);
		if (error)
			return error;
	}
	return 0;
}

static int build_image(struct loading *loading, uint64_t salt)
{
	const char *why;
	struct image_builder *builder = image_builder_new(salt);
	int error = builder ? add_lists(loading, builder) : ERR_NO_MEMORY;
	if (!error)
		error = image_build(builder, &loading->image.bytes, NULL, NULL);
	image_builder_free(builder);
	if (error)
		return error;
	loading->image.image = image_open(loading->image.bytes, &why);
	return loading->image.image ? 0 : ERR_NO_MEMORY;
}

/* Lines, but not one name: not the file it should be (an error page, another format). */
static void find_useless_lists(struct loading *loading)
{
	for (size_t i = 0; i < loading->config->policy.list_count; i++) {
		if (loading->list_errors[i] || loading->reject_counts[i] == 0 ||
			image_list(loading->image.image, loading->numbers[i])->entry_count > 0)
			continue;
		loading->list_errors[i] = ERR_MALFORMED;
		loading->numbers[i] = POLICY_NO_ID;
		drop_text(loading, i);
	}
}

static int build(struct loading *loading, struct policy **policy)
{
	uint64_t salt;
	random_fill(&salt, sizeof salt);
	int error = build_image(loading, salt);
	if (error)
		return error;
	find_useless_lists(loading);
	const struct policy_lists lists = { loading->image.image, loading->numbers,
		loading->list_errors };
	*policy = policy_build(&loading->config->policy, &lists, &error);
	return error;
}

static const char *list_error_text(int error)
{
	switch (error) {
	case ERR_MALFORMED: return "not one line is a name";
	case -EPROTONOSUPPORT: return "its format is not known: write format = \"...\"";
	case -ENODATA: return "the file is empty; a comment in it would say that it is meant to be";
	default: return error_text(error);
	}
}

/* True when the policy may be used all the same. */
static bool tell_unusable_lists(struct loading *loading, bool lists_must_load)
{
	const struct policy_spec *spec = &loading->config->policy;
	bool usable = true;
	for (size_t i = 0; i < spec->list_count; i++) {
		char path[64];
		char message[512];
		int error = loading->list_errors[i];
		if (!error)
			continue;
		snprintf(path, sizeof path, "domain_lists[%zu]", i);
		const char *origin = spec->lists[i].file ? spec->lists[i].file : "inline";
		if (loading->config->list_sources[i].url)
			origin = "source";
		snprintf(message, sizeof message, "list \"%s\" cannot be used: %s: %s",
			spec->lists[i].name, origin, list_error_text(error));
		if (!lists_must_load) {
			log_error("%s; views that use it are in their fail mode", message);
			continue;
		}
		usable = false;
		loading->errors->count++;
		loading->errors->on_error(
			loading->errors->context, loading->config->file, 0, path, message);
	}
	return usable;
}

static void tell_summary(const struct policy *policy)
{
	for (size_t i = 0; i < policy_list_count(policy); i++) {
		const struct list_info *list = policy_list(policy, (uint16_t)i);
		uint64_t rejects = 0;
		for (unsigned reason = 0; reason < LIST_REJECT_COUNT; reason++)
			if (reason != LIST_REJECT_DUPLICATE)
				rejects += list->reject_counts[reason];
		if (rejects > 0)
			log_warning("list %s: %" PRIu64 " lines left out, %" PRIu64 " patterns",
				list->name, rejects, list->entry_count);
	}
}

/* A file that was just truncated looks like this. Where protection is in force it must not be taken
 * away so silently; a comment in the file says that it is meant to be empty. */
static void refuse_empty_files(struct loading *loading)
{
	const struct policy_spec *spec = &loading->config->policy;
	for (size_t i = 0; i < spec->list_count; i++) {
		if (spec->lists[i].file && !loading->list_errors[i] && loading->texts[i].len == 0)
			loading->list_errors[i] = -ENODATA;
	}
}

static struct policy *load(struct loading *loading, bool lists_must_load)
{
	struct policy *policy = NULL;
	read_lists(loading);
	if (lists_must_load)
		refuse_empty_files(loading);
	int error = build(loading, &policy);
	if (error) {
		loading->errors->count++;
		loading->errors->on_error(
			loading->errors->context, loading->config->file, 0, "", error_text(error));
		return NULL;
	}
	if (!tell_unusable_lists(loading, lists_must_load)) {
		policy_free(policy);
		return NULL;
	}
	tell_summary(policy);
	return policy;
}

struct policy *policy_load(const struct config *config, bool lists_must_load, char hash[33],
	struct policy_image *image, struct config_errors *errors)
{
	struct loading loading = { .config = config, .errors = errors };
	struct policy *policy = NULL;
	if (loading_init(&loading))
		policy = load(&loading, lists_must_load);
	if (policy) {
		hash_all(&loading, hash);
		*image = loading.image;
		loading.image = (struct policy_image){ .image = NULL };
	}
	loading_deinit(&loading);
	return policy;
}

void policy_image_free(struct policy_image *image)
{
	image_close(image->image);
	free((void *)(uintptr_t)image->bytes.at);
	*image = (struct policy_image){ .image = NULL };
}
