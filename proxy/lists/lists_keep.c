/* lists_keep.c - what a load leaves in the state directory. */
#include "proxy/lists/lists_parts.h"

#include "base/error.h"
#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void move_file(const struct loading *loading, const struct item_load *load,
	const char *from_suffix, const char *to_suffix)
{
	static const char *const endings[] = { "", ".minisig" };
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		char from[PATH_MAX], to[PATH_MAX], from_name[32], to_name[32];
		snprintf(from_name, sizeof from_name, "%s%s", from_suffix, endings[i]);
		snprintf(to_name, sizeof to_name, "%s%s", to_suffix, endings[i]);
		if (lists_path(loading, load, from_name, from) &&
			lists_path(loading, load, to_name, to) && rename(from, to) < 0 &&
			errno != ENOENT)
			log_warning("list %s: cannot rename %s: %s", load->spec->name, from,
				error_text(-errno));
	}
}

static void keep_editions(struct loading *loading)
{
	for (size_t i = 0; i < loading->lists->count; i++) {
		const struct item_load *load = &loading->items[i];
		if (load->refused_suffix && load->refused_suffix != suffix_quarantined)
			move_file(loading, load, load->refused_suffix, suffix_quarantined);
		if (load->suffix && load->suffix != suffix_good &&
			load->suffix != load->refused_suffix && load->how != MISSING)
			move_file(loading, load, load->suffix, suffix_good);
	}
}

static void keep_image(struct loading *loading)
{
	struct lists *lists = loading->lists;
	char path[PATH_MAX];
	const char *why = NULL;
	if (lists->file->is_mapped ||
		!list_state_file(path, loading->config->state_directory, "lists.image"))
		return;
	lists->file = image_file_settle(lists->file, path, &why);
	if (why)
		log_warning("lists: cannot keep the image: %s: %s", path, why);
}

void lists_keep(struct loading *loading)
{
	if (!loading->options->keep || !lists_have_state(loading))
		return;
	if (mkdir(loading->config->state_directory, 0750) < 0 && errno != EEXIST)
		log_warning("state_directory: %s: %s", loading->config->state_directory,
			error_text(-errno));
	keep_editions(loading);
	keep_image(loading);
}
