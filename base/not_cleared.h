/* not_cleared.h - for large buffers on the path of a query, which are written before they are read:
 * the build sets every variable to zero where it begins (hardening.cmake), and of 16 KiB each query
 * would notice. Nowhere else: what is never set is better zero. */
#ifndef BASE_NOT_CLEARED_H
#define BASE_NOT_CLEARED_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define NOT_CLEARED __attribute__((uninitialized))
#endif
#endif
#ifndef NOT_CLEARED
#define NOT_CLEARED
#endif

#endif
