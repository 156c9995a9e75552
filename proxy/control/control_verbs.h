/* control_verbs.h - what can be asked for over the control socket. To add a verb: a file of its
 * own (verbs.h), a row in control_verbs.c, and a callback of what it needs below. Pure but for the
 * callbacks. */
#ifndef PROXY_CONTROL_CONTROL_VERBS_H
#define PROXY_CONTROL_CONTROL_VERBS_H

#include "base/writer.h"
#include "proxy/control/control_request.h"
#include "proxy/lists/list_status.h"

/* What is in force. */
struct control_revisions {
	uint32_t revision;
	const char *policy_hash;
	uint32_t kept;   /* the kept revision that the configuration comes from; 0: the file */
	bool is_loading; /* what a rollback or unpin asked for is on its way */
	uint32_t asked;  /* by the last of them that was loaded: a revision; 0: unpin */
	uint32_t came;   /* the revision that it became; 0: it was refused */
	bool is_pinned;  /* something is: that, or what the next reload takes */
};
struct shadow_order; /* shadow/shadow.h */

enum control_telling { CONTROL_TELL_STATE, CONTROL_TELL_TEXT, CONTROL_TELL_JSON };

struct explain_world;
struct exception_book;

/* What the program can do. The callbacks run on the main thread and must not block. */
struct control_source {
	/* Forgets cached answers: of a name (wire, lower case), or of it and all below. Gives how
	 * many there were. NULL: there is no cache. */
	size_t (*flush)(void *context, struct slice name, bool below);

	/* How many lists there are (NULL: nothing is known of lists), and what is known of one of
	 * them, by its number from 0. The texts live until the next callback. */
	size_t (*list_count)(void *context);
	void (*list_status)(void *context, size_t number, struct list_status *status);
	int64_t (*now_s)(void *context); /* seconds since 1970 */

	/* Begins an attempt now, of one list or (NULL) of all that are fetched or read from files;
	 * what became of it, list_status() says later. 0, -ENOENT (no list of that name),
	 * ERR_INVALID (it has no source: inline, or from an image), ERR_BUSY (one is under way).
	 * NULL: there is nothing that could be refreshed. */
	int (*list_refresh)(void *context, const char *name);
	/* Takes the edition in quarantine into force, whatever guard refused it. 0, -ENOENT (no
	 * list of that name), ERR_INVALID (nothing is in quarantine), or why it cannot be used.
	 * NULL as above. */
	int (*list_accept)(void *context, const char *name);

	/* Begins to load a kept revision, to put it into force and to pin it; what became of it
	 * revisions() says later. 0, -ENOENT, ERR_BUSY, or ERR_INVALID (nothing is kept). */
	int (*rollback)(void *context, uint32_t number, const char *why);
	/* Begins to load the configuration file, whatever is pinned. As above. */
	int (*unpin)(void *context);
	/* The texts live until the next callback. */
	void (*revisions)(void *context, struct control_revisions *now);
	/* A candidate is judged beside the policy in force from when it is loaded; not any more; it
	 * comes into force once it is loaded again. Each gives NULL, or why not, a text that lives
	 * until the next callback. NULL: there is no such thing. */
	const char *(*shadow_start)(void *context, const struct shadow_order *order);
	const char *(*shadow_stop)(void *context);
	const char *(*shadow_promote)(void *context);
	void (*shadow_tell)(void *context, enum control_telling how, struct writer *answer);

	/* What is allowed and blocked by hand; NULL: nothing can be. With it: is there a view of
	 * that name? */
	struct exception_book *exceptions;
	bool (*has_view)(void *context, const char *view);

	/* Fills in what decides now; it lives until the next callback. NULL: nothing does. */
	void (*explain_world)(void *context, struct explain_world *world);

	void *context;
};

/* What the verbs say:
 *
 *     flush all | name NAME | below NAME
 *     lists text FROM | json FROM     from this number on as many as fit, between a first line "N
 *                                     lists" and a last line "next NUMBER", 0 when it was all
 *     lists refresh [NAME]            NAME as control_word_write() writes it
 *     lists accept NAME
 *     explain FROM NAME TYPE [KEY=VALUE]...     control_explain.h
 *     revisions rollback NUMBER WHY | unpin | status
 *     shadow start FILE SHARE [VIEW]...   FILE is absolute; words as above; SHARE 1 to 100
 *     shadow stop | promote
 *     shadow state | text | json      a line with the state, then why, or how it stands
 *     exceptions add ALLOW|BLOCK exact|both NAME SECONDS WHY [VIEW]
 *     exceptions end NUMBER
 *     exceptions text FROM | json FROM    as many as fit, and the last line as that of lists
 *
 * So an answer about a thousand lists takes several requests, each of which is short work for the
 * loop; a reload between them may be seen in part.
 *
 * Does what the request says; writes the whole answer, its last line included. `answer` has room
 * for CONTROL_ANSWER_MAX bytes. */
void control_verbs_run(const struct control_source *source, const struct control_request *request,
	struct writer *answer);

/* Ends an answer with an error; what was written before goes. */
void control_verbs_fail(struct writer *answer, const char *text);

#endif
