/* command: words in an array, no shell in between, so nothing has to be quoted.
 *
 * An option and its value are two words, "--n" "5", the form that every contestant's
 * language takes. */
#include "lesson08_compare/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/check.h"

void command_begin(struct command *command, const char *program)
{
    command->count = 0;
    command_word(command, program);
}

void command_word(struct command *command, const char *text)
{
    CHECK(command->count < COMMAND_WORDS, "a command of more than %d words",
          COMMAND_WORDS);
    snprintf(command->text[command->count], COMMAND_WORD, "%s", text);
    command->argv[command->count] = command->text[command->count];
    command->argv[++command->count] = NULL;
}

void command_option(struct command *command, const char *name, const char *value)
{
    char text[64];
    snprintf(text, sizeof text, "--%s", name);
    command_word(command, text);
    command_word(command, value);
}

void command_number(struct command *command, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    command_option(command, name, text);
}
