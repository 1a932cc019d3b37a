/* command: an argv that is put together word by word. Threads: one at a time for each
 * struct. */
#ifndef LESSON08_COMMAND_H
#define LESSON08_COMMAND_H

#include <stdint.h>

#define COMMAND_WORDS 32
#define COMMAND_WORD 600

/* Pass `argv` on as it is: NULL-terminated, its words live in the struct. */
struct command {
    char text[COMMAND_WORDS][COMMAND_WORD];
    char *argv[COMMAND_WORDS + 1];
    int count;
};

/* A new command that starts with this program. */
void command_begin(struct command *command, const char *program);
/* One more word. More than COMMAND_WORDS is a bug. */
void command_word(struct command *command, const char *text);
void command_option(struct command *command, const char *name, const char *value);
void command_number(struct command *command, const char *name, uint64_t value);

#endif
