/* blocks: written once a results folder, since 256 MiB take a second to write and every
 * lab can use the same.
 *
 * It is written under another name and renamed when it is complete and on the disk: an
 * interrupted lab leaves no half file that looks whole. Every block is filled with bytes
 * that do not repeat, so that no file system stores less than it reads. */
#include "lesson08_compare/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lesson08_compare/right_answer.h"

#define AT_ONCE 256 /* blocks */

static void fill(unsigned char *block, uint64_t k)
{
    uint64_t x = right_answer_mix(k);
    for (int i = 0; i < 8; i++)
        block[i] = (unsigned char)(k >> (8 * i));
    for (int i = 8; i < BLOCK_SIZE; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        block[i] = (unsigned char)(x >> 56);
    }
}

static int write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_blocks(int fd, uint64_t blocks)
{
    unsigned char *buffer = malloc(AT_ONCE * BLOCK_SIZE);
    int err = buffer ? 0 : -ENOMEM;
    for (uint64_t k = 0; k < blocks && err == 0;) {
        uint64_t count = blocks - k < AT_ONCE ? blocks - k : AT_ONCE;
        for (uint64_t i = 0; i < count; i++)
            fill(buffer + i * BLOCK_SIZE, k + i);
        err = write_all(fd, buffer, count * BLOCK_SIZE);
        k += count;
    }
    free(buffer);
    if (err == 0 && fsync(fd) < 0)
        err = -errno;
    return err;
}

int blocks_make(const char *path, uint64_t bytes)
{
    char part[700];
    struct stat is;
    if (stat(path, &is) == 0 && (uint64_t)is.st_size == bytes)
        return 0;
    snprintf(part, sizeof part, "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int err = write_blocks(fd, bytes / BLOCK_SIZE);
    close(fd);
    if (err == 0 && rename(part, path) < 0)
        err = -errno;
    if (err < 0)
        unlink(part);
    return err;
}

static int read_through(int fd, unsigned char *buffer, size_t size)
{
    ssize_t n;
    do
        n = read(fd, buffer, size);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : 0;
}

int blocks_warm(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unsigned char *buffer = malloc(AT_ONCE * BLOCK_SIZE);
    int err = buffer ? read_through(fd, buffer, AT_ONCE * BLOCK_SIZE) : -ENOMEM;
    free(buffer);
    close(fd);
    return err;
}

int blocks_direct(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    void *buffer = aligned_alloc(BLOCK_SIZE, BLOCK_SIZE);
    ssize_t n = buffer ? pread(fd, buffer, BLOCK_SIZE, 0) : -1;
    int err = !buffer ? -ENOMEM : n < 0 ? -errno : 0;
    free(buffer);
    close(fd);
    return err;
}
