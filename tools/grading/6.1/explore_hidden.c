/* Hidden cases of exercise 6.1, in the form of explore_deque.c: what a push finds after
 * a take that a thief has beaten (S4), and an owner that empties its deque from both
 * ends while a thief is in the middle of a steal (D3). */
#include "lesson06_worksteal/explore_items.h"

/* Whoever gets the one item: the deque is empty then, and has room for two. */
GAME(push_after_a_lost_take, DEQUE_LIFO, 2, .before = "p", .owner = "tpp",
     .thieves = { "ss" }, .rule = "S4")

/* The owner takes at the bottom, then claims at the top. */
GAME(owner_at_both_ends, DEQUE_LIFO, 2, .before = "pp", .owner = "tdp",
     .thieves = { "ss" }, .rule = "D3")

EXPLORE_MAIN(CASE(push_after_a_lost_take, "S4"), CASE(owner_at_both_ends, "D3"), )
