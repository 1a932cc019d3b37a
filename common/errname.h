/* errname: errno values by name, for messages that a person can look up.
 *
 * Both take a negative or a positive errno. Threads: any; the returned string is static
 * or thread-local and is borrowed until the next call on the same thread. */
#ifndef COMMON_ERRNAME_H
#define COMMON_ERRNAME_H

/* "ECANCELED"; a number as text where the C library has no name for it. */
const char *errname(int err);

/* "Operation canceled". */
const char *errtext(int err);

#endif
