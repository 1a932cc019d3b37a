/* tools_there: which versions of the tools that measure or compile are on this machine.
 * Threads: one. */
#ifndef LESSON08_TOOLS_THERE_H
#define LESSON08_TOOLS_THERE_H

#include <stddef.h>

#include "lesson08_compare/machine.h"

/* Asks each and fills in machine->tools and machine->allocator. */
void tools_look(struct machine *machine);

/* The first thing in a line that looks like a version, "3.19.0"; "" if nothing does. */
void tools_version_in(const char *line, char *version, size_t size);

#endif
