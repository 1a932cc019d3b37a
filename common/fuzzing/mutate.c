/* mutate: small changes to bytes that are nearly right.
 *
 * Random bytes do not come far: nearly each of them is refused at its first byte. What
 * finds bugs is an input that a parser likes, with one thing wrong; so all begins with a
 * file of the corpus, and most changes are small. A word of the grammar (a dictionary's,
 * or a piece of another input) goes where chance would not put it in years.
 *
 * Invariant: the input never has more bytes than there is room for. */
#include "common/fuzzing/mutate.h"

#include <string.h>

#include "common/container.h"

size_t fuzz_chance(struct fuzz_mutator *mutator, size_t bound)
{
    uint64_t x = mutator->chance;
    x ^= x << 13; /* xorshift64, Marsaglia 2003 */
    x ^= x >> 7;
    x ^= x << 17;
    mutator->chance = x;
    return (size_t)((x >> 16) % bound);
}

/* Where something may go: between two bytes, or behind the last one. */
static size_t gap(struct fuzz_mutator *m, const struct fuzz_bytes *input)
{
    return fuzz_chance(m, input->size + 1);
}

static void insert(struct fuzz_bytes *input, size_t room, size_t at, const void *bytes,
                   size_t size)
{
    if (size > room - input->size)
        size = room - input->size;
    memmove(input->at + at + size, input->at + at, input->size - at);
    memcpy(input->at + at, bytes, size);
    input->size += size;
}

static void flip_a_bit(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    size_t at = fuzz_chance(m, input->size);
    input->at[at] = (uint8_t)(input->at[at] ^ 1u << fuzz_chance(m, 8));
}

static void set_a_byte(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    static const char edges[] = "\0\1\t\n\r \"',-./0:9;[\\{}~\x7f\x80\xff";
    size_t at = fuzz_chance(m, input->size);
    input->at[at] = (uint8_t)(fuzz_chance(m, 2) ? edges[fuzz_chance(m, sizeof edges)]
                                                : (int)fuzz_chance(m, 256));
}

static void nudge_a_byte(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    size_t at = fuzz_chance(m, input->size);
    input->at[at] = (uint8_t)(input->at[at] + (fuzz_chance(m, 2) ? 1 : 255));
}

static void insert_a_byte(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    uint8_t byte = (uint8_t)fuzz_chance(m, 256);
    insert(input, room, gap(m, input), &byte, 1);
}

static void remove_a_run(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    size_t at = fuzz_chance(m, input->size);
    size_t left = input->size - at;
    size_t size = 1 + fuzz_chance(m, left < 16 ? left : 16);
    if (size > left)
        size = left;
    memmove(input->at + at, input->at + at + size, left - size);
    input->size -= size;
}

static void repeat_a_run(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    uint8_t run[64];
    size_t at = fuzz_chance(m, input->size);
    size_t left = input->size - at;
    size_t size = 1 + fuzz_chance(m, left < sizeof run ? left : sizeof run);
    size_t times = 1 + fuzz_chance(m, fuzz_chance(m, 8) ? 2 : 64);
    size_t where = gap(m, input);
    memcpy(run, input->at + at, size);
    while (times-- > 0)
        insert(input, room, where, run, size);
}

static void cut_the_end(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    input->size = fuzz_chance(m, input->size);
}

static void insert_a_word(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    if (m->words->count == 0)
        return;
    const struct fuzz_bytes *word = &m->words->all[fuzz_chance(m, m->words->count)];
    insert(input, room, gap(m, input), word->at, word->size);
}

static void write_a_word(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    (void)room;
    if (m->words->count == 0)
        return;
    const struct fuzz_bytes *word = &m->words->all[fuzz_chance(m, m->words->count)];
    size_t at = fuzz_chance(m, input->size);
    size_t left = input->size - at;
    memcpy(input->at + at, word->at, word->size < left ? word->size : left);
}

/* A piece of another input. */
static void splice(struct fuzz_mutator *m, struct fuzz_bytes *input, size_t room)
{
    const struct fuzz_bytes *other = &m->inputs->all[fuzz_chance(m, m->inputs->count)];
    if (other->size == 0)
        return;
    size_t from = fuzz_chance(m, other->size);
    size_t size = 1 + fuzz_chance(m, other->size - from);
    size_t at = gap(m, input);
    if (fuzz_chance(m, 2)) /* instead of our end, else in front of it */
        input->size = at;
    insert(input, room, at, other->at + from, size);
}

void fuzz_mutate(struct fuzz_mutator *mutator, struct fuzz_bytes *input, size_t room)
{
    static void (*const changes[])(struct fuzz_mutator *, struct fuzz_bytes *,
                                   size_t) = {
        flip_a_bit,    set_a_byte,   nudge_a_byte, insert_a_byte, remove_a_run,
        insert_a_word, write_a_word, repeat_a_run, cut_the_end,   splice,
    };
    for (size_t left = 1 + fuzz_chance(mutator, 4); left > 0; left--) {
        if (input->size == 0) /* most of them need a byte to work on */
            insert_a_byte(mutator, input, room);
        else
            changes[fuzz_chance(mutator, ARRAY_SIZE(changes))](mutator, input, room);
    }
}
