#include "proxy/revisions/revisions_live.h"

#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/utc.h"

static void tell_pinned(const char *file, const struct revision_pin *pin)
{
	char since[32];
	struct writer to = writer_of(since, sizeof since - 1);
	utc_write(&to, pin->time_s);
	since[to.len] = '\0';
	log_warning("PINNED: revision %u is in force since %s (%s); %s is passed over until it "
		    "changes, or `namegate revisions unpin`",
		pin->number, since, pin->why, file);
}

/* The pinned configuration, if the pin holds. A kept one that is gone or damaged ends the pin:
 * there is a file, and a policy is better than none. */
static struct config *follow_pin(
	const char *file, const char *hash, const char *state_directory, uint32_t *kept)
{
	struct revision_pin pin;
	struct config_errors errors = { 0 };
	if (!revisions_pinned(state_directory, &pin))
		return NULL;
	if (strcmp(pin.config_hash, hash) != 0) {
		log_warning("revisions: %s has changed: revision %u is not pinned any more", file,
			pin.number);
		return NULL;
	}
	config_errors_to_stderr(&errors);
	struct config *pinned = revisions_load(state_directory, pin.number, &errors);
	if (!pinned) {
		log_error("revisions: revision %u is pinned and cannot be loaded: %s is used",
			pin.number, file);
		return NULL;
	}
	tell_pinned(file, &pin);
	*kept = pin.number;
	return pinned;
}

static struct config *choose_running(
	const char *file, const char *state_directory, uint32_t *kept, struct config_errors *errors)
{
	char hash[CONFIG_HASH_LEN + 1];
	struct config *pinned =
		config_text_hash(file, hash) ? follow_pin(file, hash, state_directory, kept) : NULL;
	return pinned ? pinned : config_load(file, errors);
}

struct config *revisions_choose(const char *file, const struct revisions_wish *wish, uint32_t *kept,
	struct config_errors *errors)
{
	*kept = wish->rollback;
	if (wish->rollback)
		return revisions_load(wish->state_directory, wish->rollback, errors);
	if (wish->state_directory && !wish->unpin) /* a file that is broken is passed over too */
		return choose_running(file, wish->state_directory, kept, errors);
	struct config *config = config_load(file, errors);
	struct config *pinned = config && !wish->unpin
		? follow_pin(file, config->hash, config->state_directory, kept)
		: NULL;
	if (!pinned)
		return config;
	config_free(config);
	return pinned;
}

static void say_nothing(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context, (void)file, (void)line, (void)path, (void)message;
}

bool revisions_is_pinned_over(const char *file)
{
	struct config_errors errors = { .on_error = say_nothing };
	struct revision_pin pin;
	struct config *config = config_load(file, &errors);
	bool pinned = config && revisions_pinned(config->state_directory, &pin) &&
		strcmp(pin.config_hash, config->hash) == 0;
	config_free(config);
	return pinned;
}

uint32_t revisions_go_live(const struct revisions_item *item, uint32_t kept, uint32_t after)
{
	const char *state_directory = item->config->state_directory;
	struct revisions_item whole = *item;
	char copies[PATH_MAX];
	if (!*state_directory)
		return after + 1;
	whole.number = revisions_next(state_directory, item->policy_hash);
	if (whole.number < after)
		whole.number = after + 1; /* somebody emptied the directory */
	if (kept && revisions_path(copies, state_directory, kept, "config"))
		whole.copies = copies;
	int error = revisions_keep(state_directory, &whole);
	if (error)
		log_warning("revisions: revision %u cannot be kept: %s", whole.number,
			error == ERR_INVALID ? "its files have changed since they were read"
					     : error_text(error));
	error = revisions_note(state_directory, whole.number);
	if (error)
		log_warning("revisions: %s: %s", state_directory, error_text(error));
	return whole.number;
}
