/* give_way.h - work that nobody waits for, beside threads that answer questions. */
#ifndef BASE_GIVE_WAY_H
#define BASE_GIVE_WAY_H

/* The calling thread goes on when the others leave it time: who waits for a packet is woken at
 * once, whatever it does. It cannot be taken back. */
void give_way(void);

/* Has `work` done by a thread of its own that gives way, or here when there can be none. Nobody is
 * told when it is done. */
void give_way_to_do(void (*work)(void *context), void *context);

#endif
