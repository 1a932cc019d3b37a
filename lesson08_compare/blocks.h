/* blocks: the file that the rows of reads read. Its 4 KiB block k begins with k as 8
 * bytes, little-endian. Threads: one. Errors: negative errno. */
#ifndef LESSON08_BLOCKS_H
#define LESSON08_BLOCKS_H

#include <stdint.h>

#define BLOCK_SIZE 4096

/* Makes the file unless it is there in this size already. */
int blocks_make(const char *path, uint64_t bytes);

/* Reads all of it, so that it is in the page cache. */
int blocks_warm(const char *path);

/* Can the file be read with O_DIRECT where it lies? 0, or why not. */
int blocks_direct(const char *path);

#endif
