/* http_files: let the kernel do the walking, since only it can do so without a race.
 *
 * "Resolve the path, look whether the result is below the root, open it" is wrong:
 * between the look and the open somebody can put a link in the way. RESOLVE_BENEATH
 * makes the kernel refuse, step by step, whatever would leave the folder that the walk
 * started in:
 * "..", an absolute path, an absolute or climbing link. RESOLVE_NO_MAGICLINKS closes
 * the doors of /proc. The fallback gets the same safety from O_NOFOLLOW on each
 * component: a descriptor of a real folder cannot be swapped under us.
 *
 * A file is opened with O_NONBLOCK, since opening a pipe would otherwise wait for a
 * writer for ever. The flag comes off again once the file is known to be regular:
 * io_uring takes it as "answer EAGAIN rather than wait for the disk".
 *
 * Invariant: http_file.fd is a regular file that was reached without leaving the root,
 * and no other descriptor stays open. */
#include "lesson07_custom/http_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lesson07_custom/http_response.h"

#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define RETRIES 8

static int open_beneath(int root, const char *path, uint64_t flags)
{
    struct open_how how = {
        .flags = flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int err = -EAGAIN;
    /* EAGAIN: something was renamed during the walk, so ".." could not be trusted */
    for (int i = 0; i < RETRIES && (err == -EAGAIN || err == -EINTR); i++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        err = -errno;
    }
    return err;
}

static int open_component(int folder, const char *name, int flags)
{
    int fd;
    do
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int open_walking(int root, const char *path)
{
    int folder = root;
    int fd;
    for (;;) {
        char name[NAME_MAX + 1];
        size_t size = strcspn(path, "/");
        bool last = path[size] == '\0';
        if (size == 0 || (size == 2 && memcmp(path, "..", 2) == 0)) {
            fd = -EXDEV;
            break;
        }
        if (size >= sizeof name) {
            fd = -ENAMETOOLONG;
            break;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        fd = open_component(folder, name, last ? FILE_FLAGS : O_PATH | O_DIRECTORY);
        if (last || fd < 0)
            break;
        if (folder != root)
            close(folder);
        folder = fd;
        path += size + 1;
    }
    if (folder != root)
        close(folder);
    return fd;
}

int http_files_init(struct http_files *files, const char *folder)
{
    *files = (struct http_files){ .root = -1 };
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    files->root = root;
    int probe = open_beneath(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    files->walking = probe == -ENOSYS || probe == -EPERM;
    if (probe >= 0)
        close(probe);
    else if (!files->walking)
        http_files_finish(files); /* it did not say whether it is there */
    return probe < 0 && !files->walking ? probe : 0;
}

void http_files_finish(struct http_files *files)
{
    if (files == NULL)
        return;
    if (files->root >= 0)
        close(files->root);
    files->root = -1;
}

/* Is it a regular file? Then it becomes a blocking one. */
static int inspect(int fd, struct http_file *file)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return -errno;
    if (S_ISDIR(info.st_mode))
        return -EISDIR;
    if (!S_ISREG(info.st_mode))
        return -EACCES;
    if (fcntl(fd, F_SETFL, 0) < 0)
        return -errno;
    file->size = (uint64_t)info.st_size;
    return 0;
}

/* The path of the file to open: of a folder, its index. */
static int choose(const char *path, bool folder, char *out, size_t capacity)
{
    static const char index[] = "index.html";
    size_t size = strlen(path);
    bool slash = folder && size > 0;
    if (size + 1 + sizeof index > capacity)
        return -ENAMETOOLONG;
    memcpy(out, path, size);
    if (slash)
        out[size++] = '/';
    if (folder)
        memcpy(out + size, index, sizeof index);
    else
        out[size] = '\0';
    return 0;
}

int http_files_open(const struct http_files *files, const char *path, bool folder,
                    struct http_file *file)
{
    char chosen[PATH_MAX];
    int err = choose(path, folder, chosen, sizeof chosen);
    if (err < 0)
        return err;
    const char *name = chosen[0] != '\0' ? chosen : ".";
    int fd = files->walking ? open_walking(files->root, name)
                            : open_beneath(files->root, name, FILE_FLAGS);
    if (fd < 0)
        return fd;
    err = inspect(fd, file);
    if (err < 0)
        goto fail_close;
    file->fd = fd;
    file->content_type = http_content_type(name);
    return 0;
fail_close:
    close(fd);
    /* an index.html that is a folder has no place to redirect to */
    return folder && err == -EISDIR ? -EACCES : err;
}

int http_files_status(int err)
{
    switch (-err) {
    case EISDIR:
        return 301;
    case EACCES:
    case EPERM:
    case ENXIO: /* a socket */
        return 403;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:
        return 404;
    case ENAMETOOLONG:
        return 414;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
        return 503;
    default:
        return 500;
    }
}
