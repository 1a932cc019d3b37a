/* option_word: which word of the command line does getopt_long complain about?
 *
 * argv[optind - 1], says nearly everybody. But getopt steps behind a word when it has read
 * all of it, and "-port" is four options of one letter: it complains about the first of
 * them and still stands in the word, and the one before is innocent.
 *
 * Threads: main, as for getopt. */
#ifndef COMMON_OPTION_WORD_H
#define COMMON_OPTION_WORD_H

#include <getopt.h>
#include <stddef.h>

/* After '?' or ':'. Borrows from argv. */
static inline const char *option_word(char *const *argv)
{
    const char *next = argv[optind];
    if (next && optopt != 0 && next[0] == '-' && next[1] == (char)optopt &&
        next[2] != '\0')
        return next;
    return argv[optind - 1];
}

#endif
