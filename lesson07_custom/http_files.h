/* http_files: opens files below one folder, and nothing else.
 *
 * A path without ".." is not enough: a symbolic link below the folder may point out of
 * it, and a name may be a pipe or a device. The kernel checks the links while it walks
 * (openat2), and what was opened is asked what it is.
 *
 * Where openat2 is missing (before Linux 5.6, or refused by a filter), the path is
 * walked a component at a time and no symbolic link is followed at all: stricter, never
 * laxer.
 *
 * These calls may wait for a disk, so they belong on a thread that may. Ownership:
 * struct http_files owns the folder's descriptor; a file that was opened is the
 * caller's to close. Threads: open from any thread; init and finish while no other uses
 * it. Errors: negative errno; http_files_status says what to answer. Source:
 * openat2(2). */
#ifndef LESSON07_HTTP_FILES_H
#define LESSON07_HTTP_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct http_files {
    int root;     /* owns; O_PATH */
    bool walking; /* no openat2 here; a test may set it to try the fallback */
};

/* Opens the folder and finds out whether this kernel has openat2. */
int http_files_init(struct http_files *files, const char *folder);
void http_files_finish(struct http_files *files);

struct http_file {
    int fd; /* the caller owns it after a successful open; blocking, close-on-exec */
    uint64_t size; /* when it was opened; a file may shrink while it is sent */
    const char *content_type; /* static */
};

/* `path` is http_target_path's result; `folder` as well: then the folder's index.html
 * is opened (there is no listing). Only regular files are opened. -EISDIR: the path
 * names a folder, but did not end in '/': redirect to where it does, so that relative
 * links in its index work. -EXDEV: the way leads out of the root. */
int http_files_open(const struct http_files *files, const char *path, bool folder,
                    struct http_file *file);

/* 301, 403, 404, 414, 500 or 503. Whatever leaves the root is "not found": the answer
 * does not tell what is out there. */
int http_files_status(int err);

#endif
