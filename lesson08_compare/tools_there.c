/* tools_there: everybody knows --version, and answers in a first line of his own.
 *
 * A number of next year can only be compared with today's if it is known what made both.
 * A tool that is missing, hangs or says no number is recorded as missing; the lab goes on
 * without it. */
#include "lesson08_compare/tools_there.h"

#include <ctype.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/container.h"
#include "lesson08_compare/command.h"
#include "lesson08_compare/process.h"

#define PATIENCE (5 * NS_PER_S)

void tools_version_in(const char *line, char *version, size_t size)
{
    size_t length = 0;
    while (*line && !isdigit((unsigned char)*line))
        line++;
    while (length + 1 < size && (isdigit((unsigned char)line[length]) ||
                                 (length > 0 && line[length] == '.')))
        length++;
    memcpy(version, line, length);
    version[length] = '\0';
}

static void ask(const char *tool, char *version, size_t size)
{
    struct command command;
    struct process process;
    struct process_how how = { .log = -1 };
    char line[256];
    version[0] = '\0';
    if (!program_in_path(tool))
        return;
    command_begin(&command, tool);
    command_word(&command, "--version");
    if (process_start_as(&process, command.argv, &how) < 0)
        return;
    uint64_t deadline = clock_now() + PATIENCE;
    if (process_read_line(&process, line, sizeof line, deadline) == 0)
        tools_version_in(line, version, size);
    process_stop(&process, SIGKILL, deadline);
}

void tools_look(struct machine *machine)
{
    static const char *const tools[] = { "gcc", "clang", "rustc", "wrk", "valgrind" };
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        char version[32];
        ask(tools[i], version, sizeof version);
        used += (size_t)snprintf(machine->tools + used, sizeof machine->tools - used,
                                 "%s%s %s", i ? ", " : "", tools[i],
                                 version[0] ? version : "-");
    }
    snprintf(machine->allocator, sizeof machine->allocator,
             "malloc of glibc %s, in C and in Rust alike; Go's own in Go",
             gnu_get_libc_version());
}
