/* server_parts.h - what the files of the running program share; for them alone.
 *
 *   server.c          birth and death: start, signals, the end
 *   server_load.c     configurations and lists that are loaded aside, and how they come into force
 *   server_control.c  what is asked for over the control socket */
#ifndef PROXY_SERVER_PARTS_H
#define PROXY_SERVER_PARTS_H

#include <limits.h>
#include <time.h>
#include <uv.h>

#include "proxy/background.h"
#include "proxy/cache/cache.h"
#include "proxy/certificate_keeper.h"
#include "proxy/control/control.h"
#include "proxy/exceptions/exception_book.h"
#include "proxy/lists/keeper.h"
#include "proxy/lists/list_state.h"
#include "proxy/notify.h"
#include "proxy/rights/rights.h"
#include "proxy/shadow/shadow_keeper.h"
#include "proxy/status.h"

enum { SIGNAL_HUP, SIGNAL_USR1, SIGNAL_TERM, SIGNAL_INT, SIGNAL_COUNT };

/* What is to be loaded; a configuration comes with its lists. The shadow's are loaded by
 * themselves, behind what comes into force. */
enum load {
	LOAD_CONFIG = 1,
	LOAD_LISTS = 2,
	LOAD_PROMOTE = 4, /* the candidate's configuration instead of ours */
	LOAD_SHADOW = 8,
	LOAD_SHADOW_LISTS = 16,
	LOAD_CERTIFICATES = 32, /* the files of `tls` alone */
	LOAD_FOR_SHADOW = LOAD_SHADOW | LOAD_SHADOW_LISTS,
};

struct server {
	uv_loop_t loop;
	uv_signal_t signals[SIGNAL_COUNT];
	uv_timer_t housekeeping;
	uv_async_t worker_ended;
	struct background background; /* in which lists are loaded */
	const char *file;
	struct tls_ticket_keys *ticket_keys;
	struct dns_cookie_secrets cookie_secrets; /* of this run, where no file has others */
	struct snapshot *before;  /* in force when the load began; the thread beside looks at it */
	struct snapshot *loaded;  /* by that thread */
	struct lists *lists;      /* as they were loaded last; those in force decide the same */
	unsigned loading;         /* enum load; 0: nothing */
	char load_file[PATH_MAX]; /* the configuration that is being loaded */
	unsigned wanted;
	char accept[LIST_STATE_NAME_MAX];
	/* Of the candidate that comes into force; else "". */
	char promote_hash[CONFIG_HASH_LEN + 1];
	struct revisions_wish wish, next_wish; /* of this load; of the next one */
	char why[REVISION_WHY_MAX], next_why[REVISION_WHY_MAX];
	uint32_t asked; /* by the last wish that was loaded: a revision; 0: unpin */
	uint32_t came;  /* which revision that became; 0: refused */
	struct keeper *keeper;
	struct certificate_keeper *certificates;
	struct tls_context *reloaded;         /* by the thread of a load */
	struct certificate_problems problems; /* of that load */
	struct exception_book *exceptions;
	bool handles_open;
	_Atomic unsigned workers_running;
	struct rights rights; /* what is left of them */
	struct notify notify; /* the service manager */
	struct status status; /* what the admin listener tells; owns the parts that serve */
	struct admin *admin;
	struct control *control;
};

static inline int64_t server_wall_s(void)
{
	return (int64_t)time(NULL);
}

/* ---- server_load.c ---- */

/* A load of this is wanted; it begins now, or behind the one that is under way. */
void server_want_load(struct server *server, enum load what);
/* The last step of a load: what it is known by from now on. In the thread of the load. */
void server_go_live(struct snapshot *loaded, const char *why, uint32_t after);
/* Another revision than the file's is wanted, or the file's. 0 or ERR_BUSY. */
int server_wish_revision(struct server *server, const struct revisions_wish *wish, const char *why);
bool server_has_wish(const struct server *server);
/* The snapshot in force with the shadow that is wanted now. */
void server_publish_shadow(struct server *server);
/* For the keeper of the lists. */
bool server_load_lists(void *context, const char *accept);
bool server_is_loading(void *context);
/* For the keeper of the certificates. */
void server_load_certificates(void *context);
struct cache_settings server_cache_settings_of(const struct config *config);

/* ---- server_control.c ---- */

/* False after a line in the log. */
bool server_open_control(struct server *server);

#endif
