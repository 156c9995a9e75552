/* revisions.h - every policy that went live, kept in the state directory:
 *
 *   revisions/last                    the number that was used last
 *   revisions/pin                     which kept one stays in force; see revision.h
 *   revisions/00000007/revision       when, why, what
 *   revisions/00000007/config/...     copies of the configuration's files
 *   revisions/00000007/lists.image    all lists as they were: a hard link where that is possible,
 * so that the same image is on the disk once
 *
 * A revision is written under another name and renamed when it is whole. Blocking; off the loops,
 * one call at a time. Directories are read by everybody who may: the command line lists and
 * compares without the program. */
#ifndef PROXY_REVISIONS_REVISIONS_H
#define PROXY_REVISIONS_REVISIONS_H

#include "proxy/lists/lists.h"
#include "proxy/revisions/revision.h"

enum { REVISIONS_MAX = 1000 };

/* What is kept. */
struct revisions_item {
	const struct config *config;
	const char *copies; /* directory of the configuration's files; NULL: where they belong */
	const struct lists *lists;
	const char *policy_hash;
	uint32_t number;
	const char *why;
	int64_t time_s;
};

/* Keeps one, and lets the oldest go, so that config->revisions are kept; the pinned one stays. Does
 * nothing when the newest one has its number and policy hash, or nothing is to be kept. 0;
 * ERR_INVALID when the configuration's files are not any more what was loaded; or a negative errno.
 */
int revisions_keep(const char *state_directory, const struct revisions_item *item);

/* The numbers that are kept, ascending; `numbers` has room for REVISIONS_MAX + 1. */
size_t revisions_numbers(const char *state_directory, uint32_t *numbers);
/* False when there is no such one, or it is damaged. */
bool revisions_read(const char *state_directory, uint32_t number, struct revision *revision);
/* "STATE/revisions/00000007/lists.image"; `inside` may be "". False when it is too long for
 * PATH_MAX bytes. */
bool revisions_path(char *path, const char *state_directory, uint32_t number, const char *inside);

/* The policy hash of the newest that is kept; false when none is. */
bool revisions_newest_hash(const char *state_directory, char hash[REVISION_HASH_MAX]);

/* The number for the next policy that goes live: that of the newest when it is the same policy (a
 * restart), else one that was never used. */
uint32_t revisions_next(const char *state_directory, const char *policy_hash);
/* Notes that a number is used. 0 or a negative errno. */
int revisions_note(const char *state_directory, uint32_t number);

/* False when nothing is pinned. A pin that cannot be read is none, after a line in the log. */
bool revisions_pinned(const char *state_directory, struct revision_pin *pin);
/* Pins; NULL lets go. 0 or a negative errno. */
int revisions_pin(const char *state_directory, const struct revision_pin *pin);

/* The configuration as it was kept, its lists the kept ones. NULL when it cannot be read, which was
 * told. */
struct config *revisions_load(
	const char *state_directory, uint32_t number, struct config_errors *errors);

#endif
