/* mutate: another input, out of one that was tried.
 *
 * Ownership: the corpus and the dictionary own their bytes. Threads: one. Errors:
 * negative errno. */
#ifndef COMMON_FUZZING_MUTATE_H
#define COMMON_FUZZING_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_bytes {
    uint8_t *at; /* owns, in a list; borrows, as the one that is changed */
    size_t size;
};

/* A list of inputs, or of the words of a dictionary. {0} is an empty one. */
struct fuzz_list {
    struct fuzz_bytes *all; /* owns */
    size_t count;
};

/* Takes a copy of the bytes. -ENOMEM. */
int fuzz_list_add(struct fuzz_list *list, const void *bytes, size_t size);

/* All regular files of a folder, in the order of their names; -ENOENT ... . */
int fuzz_list_folder(struct fuzz_list *list, const char *folder);

/* One file. */
int fuzz_list_file(struct fuzz_list *list, const char *path);

/* A dictionary as libFuzzer reads it: lines of [name=]"word", with \\, \" and \xAB; '#'
 * begins a comment. -EINVAL: a line is something else, *line says which. */
int fuzz_list_words(struct fuzz_list *list, const char *path, unsigned *line);

void fuzz_list_finish(struct fuzz_list *list);

struct fuzz_mutator {
    uint64_t chance;                /* the generator's state; never 0 */
    const struct fuzz_list *inputs; /* borrows */
    const struct fuzz_list *words;  /* borrows */
};

/* Changes the input in one to four places. It has room for `room` bytes. The same
 * mutator, the same change. */
void fuzz_mutate(struct fuzz_mutator *mutator, struct fuzz_bytes *input, size_t room);

/* Below `bound`, which is not 0. */
size_t fuzz_chance(struct fuzz_mutator *mutator, size_t bound);

#endif
