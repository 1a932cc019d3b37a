/* replay: a schedule as a word that can be typed.
 *
 *   tso:a3bB.1c=2     thread 0 three steps, thread 1 one, thread 1's store in slot 1
 *                     reaches memory, thread 2 one step, explore_choose gives 2
 *
 * A small letter is a step of a thread, a capital letter a store of it that reaches
 * memory (.slot, 0 when left out), =n the value of a choice; a number after a step, how
 * often. When the word is over, each thread goes on as long as it can. */
#include "common/explore/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void misfit(const char *what)
{
    engine->misfit = true;
    snprintf(
        engine->result->message, sizeof engine->result->message,
        "the schedule does not fit this scenario: at step %d, %s%.20s, %s; copy it "
        "from a line \"see it again\", or search anew without it",
        engine->depth + 1, *engine->replay_at ? "before " : "at its end",
        engine->replay_at, what);
    engine_leave();
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int number(const char **at)
{
    char *end;
    long value = strtol(*at, &end, 10);
    if (end == *at || !is_digit(**at) || value > STEPS_MAX)
        misfit("a number is missing or too large");
    *at = end;
    return (int)value;
}

static void read_token(void)
{
    const char *at = engine->replay_at;
    char c = *at++;
    engine->replay_left = 1;
    engine->replay_data = c == '=';
    if (c == '=') {
        engine->replay_action = number(&at);
    } else if (c >= 'a' && c < 'a' + EXPLORE_THREADS) {
        engine->replay_action = c - 'a';
        if (is_digit(*at))
            engine->replay_left = number(&at);
        if (engine->replay_left == 0)
            misfit("a step is made no times");
    } else if (c >= 'A' && c < 'A' + EXPLORE_THREADS) {
        int slot = 0;
        if (*at == '.') {
            at++;
            slot = number(&at);
            if (slot >= SLOTS)
                misfit("no such slot");
        }
        engine->replay_action = EXPLORE_THREADS + (c - 'A') * SLOTS + slot;
    } else {
        misfit("an unknown letter");
    }
    engine->replay_at = at;
}

int replay_next(action_set enabled, bool data)
{
    if (engine->replay_left == 0 && *engine->replay_at)
        read_token();
    if (engine->replay_left == 0) { /* the word is over */
        action_set own = (action_set)1 << engine->current;
        return enabled & own ? engine->current : __builtin_ctzll(enabled);
    }
    engine->replay_left--;
    int action = engine->replay_action;
    if (data != engine->replay_data)
        misfit(data ? "a choice (=n) is missing" : "there is nothing to choose");
    if (action > 63 || !(enabled >> action & 1))
        misfit("that step is not possible");
    return action;
}

void replay_write(char *text, size_t size)
{
    static const char *const models[] = { "sc", "tso", "pso" };
    size_t n = (size_t)snprintf(text, size, "%s:", models[engine->options->model]);
    for (int i = 0; i < engine->depth && n + 8 < size;) {
        const struct node *node = &engine->nodes[i];
        int action = node->action, times = 1;
        while (i + times < engine->depth && !node->data && action < EXPLORE_THREADS &&
               !node[times].data && node[times].action == action)
            times++;
        i += times;
        int slot = (action - EXPLORE_THREADS) % SLOTS;
        if (node->data)
            n += (size_t)snprintf(text + n, size - n, "=%d", action);
        else if (action < EXPLORE_THREADS)
            n += (size_t)snprintf(text + n, size - n, times > 1 ? "%c%d" : "%c",
                                  'a' + action, times);
        else
            n += (size_t)snprintf(text + n, size - n, slot ? "%c.%d" : "%c",
                                  'A' + (action - EXPLORE_THREADS) / SLOTS, slot);
    }
}
