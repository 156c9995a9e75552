/* What links are good for, read off links that were never opened. */
#include "proxy/upstream/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* An asker is what it says about itself. */
struct asker {
	unsigned room;
	bool is_leaving;
};

static unsigned room(const struct asker *asker)
{
	return asker->room;
}

static bool is_leaving(const struct asker *asker)
{
	return asker->is_leaving;
}

static const struct asker_type asker_type = { .room = room, .is_leaving = is_leaving };

enum { MANY = 12 };

static struct {
	struct link_host host;
	struct links links;
	struct asker askers[MANY];
	struct link all[MANY];
} t;

/* One letter each, the oldest first: c(onnecting), s(haking), u(p), f(ull), d(oubtful), l(eaving,
 * by the peer's wish), r(etired, by ours), o(ver), w(riting: its socket is full). Those that are up
 * have the serials 1, 2, ... */
static void begin(const char *letters)
{
	memset(&t, 0, sizeof t);
	t.host.asker = &asker_type;
	links_init(&t.links);
	for (unsigned i = 0; letters[i]; i++) {
		struct link *link = &t.all[i];
		char letter = letters[i];
		assert_true(i < MANY);
		t.askers[i] = (struct asker){ .room = letter != 'f', .is_leaving = letter == 'l' };
		link->host = &t.host;
		link->asker = &t.askers[i];
		link->phase = letter == 'c' ? LINK_CONNECTING
			: letter == 's'     ? LINK_SHAKING
					    : LINK_UP;
		link->end = letter == 'o' ? LINK_LEFT : LINK_GOES_ON;
		link->retired = letter == 'r';
		link->unsent = letter == 'w';
		link->doubtful = letter == 'd' ? 1 : UINT64_MAX;
		links_add(&t.links, link);
		if (link->phase == LINK_UP)
			links_note_up(&t.links, link);
	}
}

static void counts(void **state)
{
	(void)state;
	static const struct {
		const char *letters;
		unsigned up, usable;
		bool has_coming, has_room, may_have_more;
	} rows[] = {
		{ "", 0, 0, false, false, true },
		{ "c", 0, 0, true, false, true },
		{ "s", 0, 0, true, false, true },
		{ "u", 1, 1, false, true, true },
		{ "f", 1, 1, false, false, true },
		{ "w", 1, 1, false, false, true },
		{ "dlr", 3, 0, false, false, true },
		{ "o", 0, 0, false, false, true },
		{ "ocfu", 2, 2, true, true, true },
		{ "uuu", 3, 3, false, true, true },
		{ "uuuu", 4, 4, false, true, false },
		{ "ffff", 4, 4, false, false, false },
		{ "uuuo", 3, 3, false, true, true },
		/* Those that take nothing new are in nobody's way, ... */
		{ "dddd", 4, 0, false, false, true },
		{ "llll", 4, 0, false, false, true },
		{ "rrruuu", 6, 3, false, true, true },
		{ "ddddddd", 7, 0, false, false, true },
		/* ... within reason. */
		{ "dddddddd", 8, 0, false, false, false },
		{ "ddlldduu", 8, 2, false, true, false },
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(rows[i].letters);
		assert_int_equal(links_up(&t.links), rows[i].up);
		assert_int_equal(links_usable(&t.links), rows[i].usable);
		assert_int_equal(links_has_coming(&t.links), rows[i].has_coming);
		assert_int_equal(links_has_room(&t.links), rows[i].has_room);
		assert_int_equal(links_may_have_more(&t.links), rows[i].may_have_more);
	}
}

static void the_oldest_that_has_room(void **state)
{
	(void)state;
	enum { NONE = -1 };
	static const struct {
		const char *letters;
		uint64_t after;
		int chosen;
	} rows[] = {
		{ "", 0, NONE },
		{ "csofwdlr", 0, NONE },
		{ "u", 0, 0 },
		{ "uu", 0, 0 },
		{ "cfdu", 0, 3 },
		/* One that came up later, ... */
		{ "u", 1, NONE },
		{ "uu", 1, 1 },
		{ "uu", 2, NONE },
		{ "cuu", 1, 2 }, /* the first is none yet */
		{ "ufd", 1, NONE },
		/* ... if there can be one. */
		{ "uuuu", 4, 0 },
		{ "fuff", 4, 1 },
		{ "uddddddd", 8, 0 },
		{ "udddddd", 7, NONE },
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(rows[i].letters);
		const struct link *link = links_choose(&t.links, rows[i].after);
		assert_ptr_equal(link, rows[i].chosen == NONE ? NULL : &t.all[rows[i].chosen]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(the_oldest_that_has_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
