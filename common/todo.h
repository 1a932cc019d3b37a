/* todo: what stands in a starter where a student's code will stand.
 *
 * EXERCISE_TODO("6.1", parameters...) ends the program with a sentence that names the
 * exercise, the function and the place, so that "not written yet" is never taken for
 * "wrong". It returns nothing, hence a function of any type may consist of it; it takes
 * the function's parameters, so that no compiler calls them unused.
 *
 * Threads: any. */
#ifndef COMMON_TODO_H
#define COMMON_TODO_H

#define EXERCISE_TODO(...) exercise_todo(__FILE__, __LINE__, __func__, __VA_ARGS__)

_Noreturn void exercise_todo(const char *file, int line, const char *function,
                             const char *exercise, ...);

#endif
