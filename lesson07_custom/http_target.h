/* http_target: from the path of a request to a path below the server's folder.
 *
 * Decodes %XX, removes "." and ".." and empty segments, and refuses what has no
 * business in a file name. The result is relative and never climbs: it does not start
 * with '/', has no segment ".." and no NUL. Symbolic links are another matter:
 * http_files.
 *
 * Ownership: borrows its inputs, writes the caller's buffer. Threads: any. Source:
 * RFC 3986 sections 2.1 and 5.2.4. */
#ifndef LESSON07_HTTP_TARGET_H
#define LESSON07_HTTP_TARGET_H

#include "lesson07_custom/http_text.h"

/* `raw` is http_request's path. Writes a 0-terminated relative path of at most
 * capacity - 1 bytes and returns its length; the folder itself is the empty path.
 * *folder says that the path ended in '/' (or "/." or "/.."), so that the client asks
 * for a folder's content.
 * Errors: -EINVAL: not a path that this server will look for (answer 400);
 * -ENAMETOOLONG: `out` is too small (answer 414). */
int http_target_path(struct http_slice raw, char *out, size_t capacity, bool *folder);

/* The way back, for a Location line: "/" path "/" ["?" query], percent-encoded where
 * needed, 0-terminated. Starts with exactly one '/', so that it cannot name another
 * host, as "//host/" would. Returns its length or -ENAMETOOLONG. */
int http_target_folder(const char *path, struct http_slice query, char *out,
                       size_t capacity);

#endif
