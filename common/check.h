/* check: the third kind of failure, a bug.
 *
 * The course keeps three kinds of failure apart:
 *   error  - the world said no (no memory, peer gone). Returned, as a negative errno.
 *   panic  - this task is wrong. The task ends, its joiner is told (lesson 2).
 *   bug    - the runtime itself, or the code that calls it, broke a rule. No state can
 *            be trusted any more, so the process stops here, and says where and why.
 * CHECK is for bugs only. It never compiles out: a check that is absent in the build
 * that people run is a comment.
 *
 * Threads: any. Async-signal-safe: no. */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

/* For functions off the usual way. SELDOM: inlined, it would have its hot caller save more
 * registers on each call. COLD: and it stands apart from the code that is run all day. */
#if defined(__GNUC__)
#define PRINTF_LIKE(fmt_arg, first_arg)                                                \
    __attribute__((format(printf, fmt_arg, first_arg)))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define SELDOM __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#else
#define PRINTF_LIKE(fmt_arg, first_arg)
#define UNLIKELY(condition) (condition)
#define SELDOM
#define COLD
#endif

/* CHECK(condition, "sentence with %d", details...): aborts with file, line, the
 * condition and the sentence unless the condition holds. */
#define CHECK(condition, ...)                                                          \
    do {                                                                               \
        if (UNLIKELY(!(condition)))                                                    \
            check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                 \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *condition,
                            const char *format, ...) PRINTF_LIKE(4, 5);

#endif
