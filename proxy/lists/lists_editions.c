/* lists_editions.c - the newest edition of each list that can be used at all. */
#include "proxy/lists/lists_parts.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char suffix_good[] = ".list";
const char suffix_new[] = ".new";
const char suffix_quarantined[] = ".quarantined";

bool lists_have_state(const struct loading *loading)
{
	return loading->config->state_directory && loading->config->state_directory[0];
}

bool lists_path(
	const struct loading *loading, const struct item_load *load, const char *suffix, char *path)
{
	return lists_have_state(loading) &&
		list_state_path(path, loading->config->state_directory, load->spec->name, suffix);
}

bool lists_accepted(const struct loading *loading, const struct item_load *load)
{
	return loading->options->accept && strcmp(loading->options->accept, load->spec->name) == 0;
}

void lists_note_fault(struct item_load *load)
{
	if (load->first_fault)
		return;
	load->first_fault = load->edition.fault;
	memcpy(load->first_why, load->edition.why, sizeof load->first_why);
}

/* Bytes are there: are they those in force, or can they be opened? */
static bool use_bytes(struct item_load *load, const char *signature)
{
	struct list_edition *edition = &load->edition;
	const struct lists_item *before = load->before;
	bool format_stays =
		before && (load->spec->format == LIST_AUTO || load->spec->format == before->format);
	if (format_stays && memcmp(before->source_hash, edition->hash, IMAGE_HASH_LEN) == 0) {
		edition->format = before->format;
		load->how = KEEP;
		list_edition_close(edition); /* nobody reads it, and lists are large */
		return true;
	}
	if (!list_edition_open(edition, load->spec->format, &load->source->guards, signature,
		    load->source->max_size))
		return false;
	load->how = READ;
	return true;
}

static bool use_file(struct item_load *load, const char *path, const char *signature)
{
	list_edition_close(&load->edition);
	if (list_edition_read(&load->edition, path, load->source->max_size) &&
		use_bytes(load, signature))
		return true;
	lists_note_fault(load);
	return false;
}

/* One file of a fetched list; one that is not there is no fault. */
static bool use_fetched(const struct loading *loading, struct item_load *load, const char *suffix)
{
	char path[PATH_MAX], signature[PATH_MAX], signature_suffix[32];
	snprintf(signature_suffix, sizeof signature_suffix, "%s.minisig", suffix);
	if (!lists_path(loading, load, suffix, path) || access(path, F_OK) != 0 ||
		!lists_path(loading, load, signature_suffix, signature))
		return false;
	load->suffix = suffix;
	if (use_file(load, path, signature))
		return true;
	load->refused_suffix = suffix;
	return false;
}

void lists_fall_back(const struct loading *loading, struct item_load *load)
{
	load->how = load->before ? KEEP : MISSING;
	if (load->how == MISSING && load->item->origin == LIST_URL && load->suffix != suffix_good)
		use_fetched(loading, load, suffix_good);
}

static bool is_known(const struct loading *loading, const char *name)
{
	for (size_t i = 0; loading->previous && i < loading->previous->count; i++)
		if (strcmp(loading->previous->items[i].name, name) == 0)
			return true;
	return false;
}

/* What is newer than the one in force is not looked at yet: that is for those in force to do. A
 * name that is new may have been fetched by hand. */
static void use_url_aside(const struct loading *loading, struct item_load *load)
{
	load->how = load->before ? KEEP : MISSING;
	if (load->before ||
		(!is_known(loading, load->spec->name) && use_fetched(loading, load, suffix_good)))
		return;
	if (!load->first_fault) {
		list_edition_fail(&load->edition, LIST_FAULT_UNREADABLE,
			"not fetched yet, and no list in force has its name and source");
		lists_note_fault(load);
	}
}

static void use_url(const struct loading *loading, struct item_load *load)
{
	const char *newest = lists_accepted(loading, load) ? suffix_quarantined : suffix_new;
	if (use_fetched(loading, load, newest) || use_fetched(loading, load, suffix_good))
		return;
	load->how = load->before ? KEEP : MISSING;
	if (load->how == MISSING && !load->first_fault) {
		list_edition_fail(&load->edition, LIST_FAULT_UNREADABLE, "not fetched yet");
		lists_note_fault(load);
	}
}

static void find_edition(const struct loading *loading, struct item_load *load)
{
	char path[PATH_MAX] = "";
	switch (load->item->origin) {
	case LIST_INLINE:
		list_edition_take(&load->edition, load->spec->inline_text);
		use_bytes(load, NULL);
		return;
	case LIST_FILE:
		snprintf(path, sizeof path, "%s.minisig", load->spec->file);
		if (!use_file(load, load->spec->file, path))
			lists_fall_back(loading, load);
		return;
	case LIST_URL:
		if (loading->options->is_aside)
			use_url_aside(loading, load);
		else
			use_url(loading, load);
		return;
	case LIST_IMAGE: return;
	}
}

/* A file that was just truncated looks like this. Where protection is in force it must not be taken
 * away so silently; a comment in the file says that it is meant to be empty. */
static void refuse_empty_file(const struct loading *loading, struct item_load *load)
{
	bool matters = loading->options->must_load || load->before;
	if (load->item->origin != LIST_FILE || load->how != READ || load->edition.raw.len > 0 ||
		!matters)
		return;
	list_edition_fail(&load->edition, LIST_FAULT_EMPTY,
		"the file is empty; a comment in it would say that it is meant to be");
	lists_note_fault(load);
	lists_fall_back(loading, load);
}

void lists_find_editions(struct loading *loading)
{
	for (size_t i = 0; i < loading->lists->count; i++) {
		find_edition(loading, &loading->items[i]);
		refuse_empty_file(loading, &loading->items[i]);
	}
}
