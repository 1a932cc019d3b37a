/* The deque with indices of eight bits, which come round from 255 to 0 while items are
 * inside: no harm, as long as no thief sleeps through a whole turn. What happens to one
 * that does is in wrong/deque.narrow_indices.patch (S1). */
#define DEQUE_INDEX_BITS 8
#include "lesson06_worksteal/explore_items.h"

#include "lesson06_worksteal/deque.c"

GAME(round_as_a_stack, DEQUE_LIFO, 2, .passed = 255, .before = "p", .owner = "ptt",
     .thieves = { "sss" }, .rule = "S1")
GAME(round_as_a_queue, DEQUE_FIFO, 4, .passed = 254, .before = "ppp", .owner = "pps",
     .thieves = { "hh" }, .rule = "S1")
GAME(round_and_empty, DEQUE_LIFO, 2, .passed = 256, .before = "", .owner = "tptt",
     .thieves = { "ss" }, .rule = "S4")

EXPLORE_MAIN(CASE(round_as_a_stack, "S1"), CASE(round_as_a_queue, "S1"),
             CASE(round_and_empty, "S1, S4"), )
