/* fuzz: no target leads out of the folder, and the way there and back is the same.
 *
 * The target of a request becomes a path below the server's folder. Whatever the bytes:
 * the path is relative, has no "..", no empty segment and no byte that a log or a
 * terminal would stumble over; and what http_target_folder makes of it for a Location
 * line leads to the same path again. */
#include "common/fuzzing/fuzz.h"

#include <errno.h>

#include "lesson07_custom/http_response.h"
#include "lesson07_custom/http_target.h"

#define ROOM 1024

/* Into a block of exactly `capacity` bytes, then into `out`, which has ROOM. */
static int path_of(struct http_slice raw, char *out, size_t capacity, bool *folder)
{
    char *block = malloc(capacity);
    CHECK(block || capacity == 0, "no memory");
    int size = http_target_path(raw, block, capacity, folder);
    CHECK(size < (int)capacity || size == 0, "%d bytes into %zu", size, capacity);
    CHECK(size >= 0 || size == -EINVAL || size == -ENAMETOOLONG, "error %d", size);
    if (size >= 0)
        memcpy(out, block, (size_t)size + 1);
    free(block);
    return size;
}

static void must_be_harmless(const char *path, size_t size)
{
    CHECK(strlen(path) == size, "a 0 inside, or none at the end");
    CHECK(path[0] != '/', "an absolute path");
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        CHECK(n > 0, "an empty segment in %s", path);
        CHECK(n != 1 || at[0] != '.', "a \".\" in %s", path);
        CHECK(n != 2 || at[0] != '.' || at[1] != '.', "a \"..\" in %s", path);
        at += n;
        CHECK(*at == '\0' || at[1] != '\0', "a slash at the end of %s", path);
        at += *at == '/';
    }
    for (const char *at = path; *at; at++)
        CHECK((unsigned char)*at >= ' ' && *at != 0x7f && *at != '\\', "byte %d",
              (unsigned char)*at);
}

/* The Location line's path, taken as a request's target, leads to the same. */
static void there_and_back(const char *path, struct http_slice query)
{
    char location[4 * ROOM], again[ROOM];
    bool folder = false;
    int size = http_target_folder(path, query, location, sizeof location);
    CHECK(size > 0 && location[size] == '\0', "no way back to %s: %d", path, size);
    CHECK(location[0] == '/' && location[1] != '/', "%s names a host", location);
    size_t way = (size_t)size - query.size - (query.size > 0);
    CHECK(http_all(location, way, HTTP_PATH), "%s needs an escape", location);
    struct http_slice raw = { location, way };
    size = http_target_path(raw, again, sizeof again, &folder);
    CHECK(size >= 0 && folder && strcmp(path, again) == 0, "%s leads to %s", location,
          size < 0 ? "nowhere" : again);
    CHECK(path_of(raw, again, (size_t)size + 1, &folder) == size, "there is no room");
    char *block = malloc(way); /* too small by its 0 */
    CHECK(block, "no memory");
    size = http_target_folder(path, (struct http_slice){ 0 }, block, way);
    CHECK(size == -ENAMETOOLONG, "%zu bytes and a 0 in %zu: %d", way, way, size);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[ROOM], less[ROOM];
    bool folder = false, same = false;
    const uint8_t *mark = size > 0 ? memchr(data, '?', size) : NULL;
    size_t n = mark ? (size_t)(mark - data) : size;
    char *bytes = fuzz_copy(data, n);
    struct http_slice raw = { bytes, n };
    struct http_slice query = { (const char *)data + n + 1, mark ? size - n - 1 : 0 };
    int length = path_of(raw, path, sizeof path, &folder);
    CHECK(length == -EINVAL || (n > 0 && bytes[0] == '/'), "taken without its slash");
    if (length >= 0) {
        must_be_harmless(path, (size_t)length);
        CHECK(folder || length > 0, "the folder itself is a folder");
        CHECK(path_of(raw, less, n + 1, &same) == length && same == folder, "n + 1");
        int small = path_of(raw, less, (size_t)length, &same);
        CHECK(small == -ENAMETOOLONG, "%d bytes and a 0 in as many: %d", length, small);
        CHECK(http_content_type(path), "a file of no type");
        if (query.size < ROOM)
            there_and_back(path, query);
    }
    free(bytes);
    return 0;
}
