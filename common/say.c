/* say: four kinds of line, each with a plain form and a coloured one; and a claim. */
#include "common/say.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic int steps;

static bool coloured(void)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
}

static void print_line(const char *colour, const char *before, const char *format,
                       va_list args) PRINTF_LIKE(3, 0);

static void print_line(const char *colour, const char *before, const char *format,
                       va_list args)
{
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    if (colour && coloured())
        printf("%s%s%s\x1b[0m\n", colour, before, text);
    else
        printf("%s%s\n", before, text);
    fflush(stdout); /* a story must not overtake what stderr says in between */
}

void say_step(const char *format, ...)
{
    char before[16];
    int step = atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed) + 1;
    snprintf(before, sizeof before, "%s%d. ", step == 1 ? "" : "\n", step);
    va_list args;
    va_start(args, format);
    print_line("\x1b[1m", before, format, args);
    va_end(args);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(NULL, "   ", format, args);
    va_end(args);
}

void say_look(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line("\x1b[33m", "   look: ", format, args);
    va_end(args);
}

void say_next(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line("\x1b[32m", "\nnext: ", format, args);
    va_end(args);
}

void say_claim(bool holds, const char *what)
{
    if (holds)
        return;
    say("this did not happen: %s", what);
    exit(1);
}
