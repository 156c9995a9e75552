#include "proxy/certificate_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proxy/lists/file_watch.h"

/* Certificate and key are two files, and who replaces them does it one after the other. What is
 * read in between does no harm, as the old pair stays, but it would be told. */
enum {
	SETTLE_MS = 1000,
	SETTLE_MOST_MS = 10 * 1000, /* of files that are never left alone */
	RETRY_MS = 60 * 1000,
	LOOK_MS = 60 * 60 * 1000,
};

struct certificate_keeper {
	uv_timer_t timer;
	struct certificate_keeper_owner owner;
	struct file_watch *watch;
	uint64_t changed_ms; /* since when files change; 0: they do not */
	struct certificate_problems problems;
};

/* ---- problems ---- */

void certificate_problems_add(void *to, const char *message)
{
	struct certificate_problems *problems = to;
	size_t len = strlen(problems->text);
	if (problems->count++ >= CERTIFICATE_PROBLEMS_MAX)
		return;
	snprintf(problems->text + len, sizeof problems->text - len, "%s\n", message);
}

static bool has_line(const char *text, const char *line, size_t len)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		if ((size_t)(end - text) == len && memcmp(text, line, len) == 0)
			return true;
	return false;
}

static bool tell_news(
	const struct certificate_problems *before, const struct certificate_problems *problems)
{
	bool is_news = problems->count > before->count;
	const char *line = problems->text;
	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		if (has_line(before->text, line, (size_t)(end - line)))
			continue;
		log_error("tls: %.*s; what was in force stays", (int)(end - line), line);
		is_news = true;
	}
	return is_news;
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
	struct certificate_keeper *keeper = timer->data;
	keeper->changed_ms = 0;
	uv_timer_start(&keeper->timer, on_timer, LOOK_MS, 0);
	keeper->owner.load(keeper->owner.context);
}

static void on_change(void *context)
{
	struct certificate_keeper *keeper = context;
	uint64_t now_ms = uv_now(keeper->timer.loop);
	if (keeper->changed_ms == 0)
		keeper->changed_ms = now_ms;
	uint64_t last_ms = keeper->changed_ms + SETTLE_MOST_MS;
	uint64_t due_ms = now_ms + SETTLE_MS < last_ms ? now_ms + SETTLE_MS : last_ms;
	uv_timer_start(&keeper->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* Unless files change right now; then it is time soon enough. */
static void look_again(struct certificate_keeper *keeper)
{
	if (keeper->changed_ms == 0)
		uv_timer_start(
			&keeper->timer, on_timer, keeper->problems.count ? RETRY_MS : LOOK_MS, 0);
}

/* ---- life ---- */

struct certificate_keeper *certificate_keeper_new(
	uv_loop_t *loop, const struct certificate_keeper_owner *owner)
{
	struct certificate_keeper *keeper = calloc(1, sizeof *keeper);
	struct file_watch *watch = keeper ? file_watch_new(loop, on_change, keeper) : NULL;
	if (!watch) {
		free(keeper);
		return NULL;
	}
	keeper->watch = watch;
	keeper->owner = *owner;
	uv_timer_init(loop, &keeper->timer);
	keeper->timer.data = keeper;
	return keeper;
}

/* All files of `tls`; at most three of each certificate and the three others. */
static size_t list_files(const struct config *config, const char **to)
{
	const char *const others[] = { config->tls_ticket_keys, config->tls_client_ca,
		config->tls_client_crl };
	size_t count = 0;
	for (size_t i = 0; i < config->tls_certificate_count; i++) {
		const struct tls_certificate_files *files = &config->tls_certificates[i];
		to[count++] = files->certificate;
		to[count++] = files->key;
		if (files->ocsp_response)
			to[count++] = files->ocsp_response;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i])
			to[count++] = others[i];
	return count;
}

void certificate_keeper_adopt(struct certificate_keeper *keeper, const struct config *config)
{
	const char **files = calloc(3 * config->tls_certificate_count + 3, sizeof *files);
	keeper->problems = (struct certificate_problems){ 0 };
	uv_timer_stop(&keeper->timer);
	if (files)
		file_watch_set(keeper->watch, files, list_files(config, files));
	if (config->tls_certificate_count)
		look_again(keeper);
	free(files);
}

bool certificate_keeper_loaded(
	struct certificate_keeper *keeper, const struct certificate_problems *problems)
{
	bool is_news = tell_news(&keeper->problems, problems);
	if (keeper->problems.count && !problems->count)
		log_info("tls: all certificates and keys can be used again");
	keeper->problems = *problems;
	file_watch_again(keeper->watch);
	look_again(keeper);
	return is_news;
}

const struct certificate_problems *certificate_keeper_problems(
	const struct certificate_keeper *keeper)
{
	return &keeper->problems;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void certificate_keeper_close(struct certificate_keeper *keeper)
{
	if (!keeper)
		return;
	file_watch_close(keeper->watch);
	uv_close((uv_handle_t *)&keeper->timer, on_closed);
}
