#include "proxy/policy_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/lists/list_file.h"

enum {
	REJECTS_SHOWN = 5, /* of each list; the rest is only counted */
	REJECT_TEXT_MAX = 80,
};

struct loading {
	const struct config *config;
	struct list_text *texts;
	uint32_t *reject_counts;
	bool told; /* the rejected lines, when it is compiled for the second time */
	struct config_errors *errors;
};

static void read_lists(struct loading *loading)
{
	const struct policy_spec *spec = &loading->config->policy;
	for (size_t i = 0; i < spec->list_count; i++) {
		const struct list_source *source = &loading->config->list_sources[i];
		struct list_text *text = &loading->texts[i];
		if (source->url)
			text->error = ERR_UNREACHABLE;
		else if (spec->lists[i].format == LIST_AUTO)
			text->error = -EPROTONOSUPPORT;
		else if (spec->lists[i].file)
			text->error =
				list_file_read(spec->lists[i].file, source->max_size, &text->text);
		else
			text->text = spec->lists[i].inline_text;
	}
}

static void drop_text(struct loading *loading, size_t list)
{
	struct slice *text = &loading->texts[list].text;
	if (loading->config->policy.lists[list].file)
		free((void *)(uintptr_t)text->at);
	*text = slice_of(NULL, 0);
}

static void free_lists(struct loading *loading)
{
	for (size_t i = 0; loading->texts && i < loading->config->policy.list_count; i++)
		drop_text(loading, i);
	free(loading->texts);
	free(loading->reject_counts);
}

static void on_reject(
	void *context, uint16_t list, uint32_t line, enum list_reject reject, struct slice text)
{
	struct loading *loading = context;
	const struct domain_list_spec *spec = &loading->config->policy.lists[list];
	if (reject == LIST_REJECT_DUPLICATE || loading->reject_counts[list]++ >= REJECTS_SHOWN)
		return;
	if (loading->told)
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
		const struct slice *text = &loading->texts[i].text;
		XXH3_128bits_update(state, &text->len, sizeof text->len);
		XXH3_128bits_update(state, text->at, text->len);
	}
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high64,
		(unsigned long long)hash.low64);
}

static struct policy *build(struct loading *loading)
{
	const struct policy_build_events events = { .on_reject = on_reject, .context = loading };
	uint64_t salt;
	int error;
	random_fill(&salt, sizeof salt);
	memset(loading->reject_counts, 0,
		(loading->config->policy.list_count + 1) * sizeof *loading->reject_counts);
	struct policy *policy =
		policy_build(&loading->config->policy, loading->texts, salt, &events, &error);
	if (policy)
		return policy;
	loading->errors->count++;
	loading->errors->on_error(
		loading->errors->context, loading->config->file, 0, "", error_text(error));
	return NULL;
}

/* Lines, but not one name: not the file it should be (an error page, another format). */
static bool find_useless_lists(struct loading *loading, const struct policy *policy)
{
	bool found = false;
	for (size_t i = 0; i < policy_list_count(policy); i++) {
		const struct list_info *list = policy_list(policy, (uint16_t)i);
		size_t rejects = loading->reject_counts[i];
		if (list->error || list->pattern_count > 0 || rejects == 0)
			continue;
		loading->texts[i].error = ERR_MALFORMED;
		drop_text(loading, i);
		found = true;
	}
	return found;
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
		int error = loading->texts[i].error;
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
		size_t rejects = 0;
		for (unsigned reason = 0; reason < LIST_REJECT_COUNT; reason++)
			if (reason != LIST_REJECT_DUPLICATE)
				rejects += list->reject_counts[reason];
		if (rejects > 0)
			log_warning("list %s: %zu lines left out, %zu patterns", list->name,
				rejects, list->pattern_count);
	}
}

/* A file that was just truncated looks like this. Where protection is in force it must not be taken
 * away so silently; a comment in the file says that it is meant to be empty. */
static void refuse_empty_files(struct loading *loading)
{
	const struct policy_spec *spec = &loading->config->policy;
	for (size_t i = 0; i < spec->list_count; i++) {
		struct list_text *text = &loading->texts[i];
		if (spec->lists[i].file && !text->error && text->text.len == 0)
			text->error = -ENODATA;
	}
}

static struct policy *load(struct loading *loading, bool lists_must_load)
{
	read_lists(loading);
	if (lists_must_load)
		refuse_empty_files(loading);
	struct policy *policy = build(loading);
	if (policy && find_useless_lists(loading, policy)) {
		policy_free(policy); /* once more, with those lists known as failed */
		loading->told = true;
		policy = build(loading);
	}
	if (!policy)
		return NULL;
	if (!tell_unusable_lists(loading, lists_must_load)) {
		policy_free(policy);
		return NULL;
	}
	tell_summary(policy);
	return policy;
}

struct policy *policy_load(const struct config *config, bool lists_must_load, char hash[33],
	struct config_errors *errors)
{
	struct loading loading = { .config = config, .errors = errors };
	size_t count = config->policy.list_count + 1;
	loading.texts = calloc(count, sizeof *loading.texts);
	loading.reject_counts = calloc(count, sizeof *loading.reject_counts);
	struct policy *policy = NULL;
	if (loading.texts && loading.reject_counts)
		policy = load(&loading, lists_must_load);
	if (policy)
		hash_all(&loading, hash);
	free_lists(&loading);
	return policy;
}
