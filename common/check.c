/* check: the one place where a broken rule ends the process.
 *
 * stderr is written with a single write at the end, so that two threads which fail at
 * once print two sentences and not one that is woven from both. */
#include "common/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *condition,
                            const char *format, ...)
{
    char text[1024];
    va_list args;
    int n = snprintf(text, sizeof text, "%s:%d: bug: CHECK(%s) failed: ", file, line,
                     condition);
    if (n < 0)
        n = 0;
    if ((size_t)n < sizeof text) {
        va_start(args, format);
        int m = vsnprintf(text + n, sizeof text - (size_t)n, format, args);
        va_end(args);
        if (m > 0)
            n += m;
    }
    if ((size_t)n > sizeof text - 2)
        n = (int)sizeof text - 2;
    text[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written; /* nowhere left to report it */
    abort();
}
