/* verb_revisions.c - revisions rollback, unpin, status. What is kept is read by the command line
 * itself. */
#include "proxy/control/verbs.h"

#include "base/error.h"

enum { WHY_MAX = 201 };

static const char *meaning_of(int error)
{
	switch (error) {
	case 0: return NULL;
	case -ENOENT: return "no such revision is kept";
	case ERR_INVALID: return "nothing is kept: there is no state_directory";
	case ERR_BUSY: return "another one is under way";
	default: return error_text(error);
	}
}

static const char *rollback(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	uint32_t number;
	char why[WHY_MAX];
	if (request->count != 4 || !control_verb_number(request->words[2], &number))
		return "revisions rollback takes a number and a reason";
	if (!control_word_read(request->words[3], why, sizeof why) || !*why)
		return "not a reason";
	int error = source->rollback ? source->rollback(source->context, number, why) : ERR_INVALID;
	if (!error)
		writer_text(answer, "begun\n");
	return meaning_of(error);
}

static const char *unpin(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	if (request->count != 2)
		return "revisions unpin takes nothing more";
	int error = source->unpin ? source->unpin(source->context) : ERR_INVALID;
	if (!error)
		writer_text(answer, "begun\n");
	return meaning_of(error);
}

/* "revision 14 kept 12 pinned yes loading no asked 12 came 14 policy HASH" */
static const char *status(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	struct control_revisions now = { .policy_hash = "" };
	(void)request;
	if (!source->revisions)
		return "nothing is known of revisions";
	source->revisions(source->context, &now);
	writer_text(answer, "revision ");
	writer_decimal(answer, now.revision);
	writer_text(answer, " kept ");
	writer_decimal(answer, now.kept);
	writer_text(answer, now.is_pinned ? " pinned yes" : " pinned no");
	writer_text(answer, now.is_loading ? " loading yes" : " loading no");
	writer_text(answer, " asked ");
	writer_decimal(answer, now.asked);
	writer_text(answer, " came ");
	writer_decimal(answer, now.came);
	writer_text(answer, " policy ");
	writer_text(answer, now.policy_hash);
	writer_text(answer, "\n");
	return NULL;
}

const char *control_verb_revisions(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	if (request->count > 1 && slice_equals_text(request->words[1], "rollback"))
		return rollback(source, request, answer);
	if (request->count > 1 && slice_equals_text(request->words[1], "unpin"))
		return unpin(source, request, answer);
	if (request->count == 2 && slice_equals_text(request->words[1], "status"))
		return status(source, request, answer);
	return "revisions takes \"rollback\", \"unpin\" or \"status\"";
}
