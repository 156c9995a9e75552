/* shadow_keeper.h - the shadow of the running program: what is wanted, the candidate that was
 * loaded for it, what became of it. Of the main thread; shadow_keeper_load() alone runs beside, and
 * touches nothing but what shadow_keeper_prepare() laid out for it. Publishes nothing: whoever owns
 * the keeper puts what shadow_keeper_pair() gives into a snapshot. */
#ifndef PROXY_SHADOW_SHADOW_KEEPER_H
#define PROXY_SHADOW_SHADOW_KEEPER_H

#include "proxy/shadow/shadow.h"

enum shadow_state {
	SHADOW_OFF,
	SHADOW_LOADING,
	SHADOW_RUNNING,
	SHADOW_PROMOTING, /* running, and about to come into force */
	SHADOW_FAILED,    /* the candidate did not load; nothing is judged */
};
const char *shadow_state_name(enum shadow_state state);

enum {
	SHADOW_NOTE_MAX = 2048, /* bytes of what is told of the last load */
	SHADOW_KINDS_TOLD = 40, /* kinds of differences */
};

struct shadow_keeper;

/* `config_file` as the program was started with; it stays. NULL when out of memory. */
struct shadow_keeper *shadow_keeper_new(const char *config_file, unsigned worker_count);
void shadow_keeper_free(struct shadow_keeper *keeper); /* NULL is fine */

/* ---- what is wanted ---- */

/* Begins anew, with counters at 0: the candidate is to be loaded. The order is copied. False when
 * out of memory; then there is no shadow. */
bool shadow_keeper_begin(
	struct shadow_keeper *keeper, const struct shadow_order *order, int64_t now_s);
/* A configuration has come into force. Its `shadow` is wanted, unless a command began one; one that
 * goes on keeps its counters. True when a candidate is to be loaded. */
bool shadow_keeper_follow(struct shadow_keeper *keeper, const struct config *config, int64_t now_s);
void shadow_keeper_end(struct shadow_keeper *keeper);
enum shadow_state shadow_keeper_state(const struct shadow_keeper *keeper);

/* ---- loading ---- */

/* Before the thread: `in_force` is borrowed until shadow_keeper_loaded(). `reads_file`: the
 * candidate's configuration too, not only its lists. */
void shadow_keeper_prepare(
	struct shadow_keeper *keeper, const struct snapshot *in_force, bool reads_file);
/* In the thread. */
void shadow_keeper_load(struct shadow_keeper *keeper);
/* Behind it. A candidate that did not load is told; one that was judged before goes on. */
void shadow_keeper_loaded(struct shadow_keeper *keeper);

/* The shadow of this snapshot; NULL when there is none. The caller owns it. */
struct shadow *shadow_keeper_pair(
	const struct shadow_keeper *keeper, const struct snapshot *in_force);

/* ---- promoting ---- */

/* May the candidate come into force? NULL when it may, else why not, a text that lives until the
 * next call of anything here; then nothing changes. */
const char *shadow_keeper_promote(struct shadow_keeper *keeper, const struct snapshot *in_force);
/* The candidate's file, and the hash of its text as it was judged. */
const char *shadow_keeper_file(const struct shadow_keeper *keeper);
const char *shadow_keeper_hash(const struct shadow_keeper *keeper);
/* It is about to come into force, pinned or not; or (NULL) it did not load again: then the shadow
 * goes on. */
void shadow_keeper_promoted(
	struct shadow_keeper *keeper, const struct snapshot *loaded, bool pinned);

/* ---- telling ---- */

/* What is wrong, or what came of promoting: lines, or nothing. */
void shadow_keeper_tell_note(const struct shadow_keeper *keeper, struct writer *to);
void shadow_keeper_tell_text(const struct shadow_keeper *keeper, const struct snapshot *in_force,
	int64_t now_s, struct writer *to);
void shadow_keeper_tell_json(
	const struct shadow_keeper *keeper, const struct snapshot *in_force, struct writer *to);

#endif
