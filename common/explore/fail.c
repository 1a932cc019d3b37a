/* fail: the end of a schedule that broke a rule.
 *
 * Whatever notices it - a CHECK, a rule of the scenario, the engine's own watch over
 * memory - ends here: the first sentence is kept, and control leaves the scenario for
 * engine_run_schedule. */
#include "common/explore/engine.h"

#include <stdarg.h>
#include <stdio.h>

_Noreturn void engine_fail(const char *rule, const char *format, ...)
{
    if (!engine->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(engine->result->message, sizeof engine->result->message, format,
                  args);
        va_end(args);
        snprintf(engine->result->rule, sizeof engine->result->rule, "%s", rule);
        engine->failed = true;
    }
    engine_leave();
}

_Noreturn void explore_broken(const char *rule, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    engine_fail(rule, "%s", text);
}

/* A CHECK of the explored code. */
_Noreturn void __wrap_check_failed(const char *file, int line, const char *condition,
                                   const char *format, ...) PRINTF_LIKE(4, 5);
_Noreturn void __real_check_failed(const char *file, int line, const char *condition,
                                   const char *format, ...) PRINTF_LIKE(4, 5);

_Noreturn void __wrap_check_failed(const char *file, int line, const char *condition,
                                   const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!engine || !engine->inside)
        __real_check_failed(file, line, condition, "%s", text);
    const char *name = strrchr(file, '/');
    engine_fail("CHECK", "%s:%d: CHECK(%s): %s", name ? name + 1 : file, line,
                condition, text);
}

_Noreturn void __wrap_abort(void);
_Noreturn void __real_abort(void);

_Noreturn void __wrap_abort(void)
{
    if (!engine || !engine->inside)
        __real_abort();
    engine_fail("abort", "the program called abort (%s)", symbol_place(CALLER));
}
