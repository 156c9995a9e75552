/* server_fuzz.c - a whole worker: what clients ask, what upstreams say, time that passes, clients
 * that leave, reloads and the end, in the order that the input says. Each step is a byte that says
 * what, and one or two that say how:
 *   0-2  a question: byte 1 who (bits 0-2), OPT (bit 3) and the type (bits 4-5), byte 2 the name
 *   3-5  an upstream answers: byte 1 which question, byte 2 in which manner; garbage has a length
 *        and bytes
 *   6    bytes of the input's own: byte 1 who, byte 2 how many
 *   7    a client leaves (bit 3: only half of it; bit 4: it does not read any more, or again)
 *   8    time passes
 *   9    a reload
 *   10   the order to finish and end
 *   11   an upstream closes its connections
 * What must hold, whatever comes, is in server_world.h. */
#include "server_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 200 };

static uint8_t take(struct slice *input)
{
	uint8_t byte = input->len ? input->at[0] : 0;
	if (input->len)
		*input = slice_of(input->at + 1, input->len - 1);
	return byte;
}

static struct slice take_bytes(struct slice *input)
{
	size_t len = take(input);
	len = len < input->len ? len : input->len;
	struct slice bytes = slice_of(input->at, len);
	*input = slice_of(input->at + len, input->len - len);
	return bytes;
}

static void step_ask(struct slice *input)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_A, 28, 65 };
	uint8_t how = take(input);
	uint8_t name = take(input);
	world_ask(how % 8 % WORLD_CLIENTS, name, types[how >> 4 & 3], how & 8);
}

static void step_answer(struct slice *input)
{
	uint8_t which = take(input);
	enum world_manner manner = take(input) % WORLD_MANNERS;
	struct slice garbage = slice_of(NULL, 0);
	if (manner == WORLD_GARBAGE)
		garbage = take_bytes(input);
	world_answer(which, manner, garbage);
}

static void step_leave(struct slice *input)
{
	uint8_t how = take(input);
	struct world_client *client = &world.clients[how % 8 % WORLD_CLIENTS];
	if (how & 16)
		client->is_deaf = !client->is_deaf;
	else if (how & 8)
		shutdown(client->fd, SHUT_WR);
	else
		world_disconnect(client);
}

static void step_time(struct slice *input)
{
	static const unsigned times_ms[] = { 1, 10, 25, 100, 500, 1000, 5000, 20000 };
	world_pass_time(times_ms[take(input) % 8]);
}

static void step_drain(void)
{
	world.is_draining = true;
	worker_drain(world.worker);
}

static void step_close_upstreams(void)
{
	for (unsigned i = 0; i < 2 * WORLD_STREAMS; i++)
		world_upstream_close_stream(&world.upstreams[i % 2], i / 2);
}

static void step(struct slice *input)
{
	uint8_t who;
	switch (take(input) % 12) {
	case 3:
	case 4:
	case 5: step_answer(input); break;
	case 6:
		who = take(input);
		world_send_raw(who % WORLD_CLIENTS, take_bytes(input));
		break;
	case 7: step_leave(input); break;
	case 8: step_time(input); break;
	case 9: world_reload(); break;
	case 10: step_drain(); break;
	case 11: step_close_upstreams(); break;
	default: step_ask(input); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cache_settings settings = {
		.size = CACHE_SIZE_MIN, .stale_s = 60, .refresh_percent = 10, .salt = 1
	};
	struct slice input = slice_of(data, size);
	if (!world.keys)
		world_make();
	world_is_driven = true;
	struct cache *cache = cache_new(&settings);
	FIXTURE_CHECK(cache);
	world_begin(cache);
	for (unsigned i = 0; i < STEPS_MAX && input.len > 0; i++) {
		step(&input);
		world_turn();
	}
	world_end();
	cache_free(cache);
	world_is_driven = false;
	return 0;
}
