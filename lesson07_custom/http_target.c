/* http_target: decode first, then look at the segments.
 *
 * The order matters. A server that removes ".." before it decodes lets "%2e%2e" pass as
 * a harmless name and finds ".." in it afterwards; one that decodes twice does the same
 * with "%252e". Here each byte is decoded once, on its way into the segment that is
 * being written, and a segment is judged when it is complete.
 *
 * A path that climbs above its root is refused. RFC 3986 would clamp it there ("/../x"
 * is "/x"), but no client that means well sends one.
 *
 * Refused everywhere: control characters (NUL would cut the name short for the kernel;
 * the others make logs lie), a backslash (a separator elsewhere), and an encoded slash,
 * which is data for whoever encoded it and a separator for the file system.
 *
 * Invariant: out[0..size) is a row of segments with one '/' between two, none of them
 * empty, "." or "..", apart from the last one, which is still being written. Its '/' comes
 * with its first byte, so that a slash at the end of the target takes no room. */
#include "lesson07_custom/http_target.h"

#include <errno.h>
#include <string.h>

struct writer {
    char *out; /* borrows */
    size_t size;
    size_t capacity;
    size_t segment; /* where the last segment starts */
    bool folder;
};

static int put(struct writer *w, char c)
{
    if (w->size + 1 >= w->capacity) /* one place is the 0's */
        return -ENAMETOOLONG;
    w->out[w->size++] = c;
    return 0;
}

/* A byte of the segment that is being written. */
static int put_in_segment(struct writer *w, char c)
{
    if (w->size == w->segment && w->size > 0) {
        int err = put(w, '/');
        if (err < 0)
            return err;
        w->segment = w->size;
    }
    return put(w, c);
}

/* Takes the last segment off, together with the slash in front of it. */
static void take_off(struct writer *w, size_t segment)
{
    w->size = segment > 0 ? segment - 1 : 0;
}

static int climb(struct writer *w)
{
    size_t segment = w->size;
    if (segment == 0)
        return -EINVAL;
    while (segment > 0 && w->out[segment - 1] != '/')
        segment--;
    take_off(w, segment);
    return 0;
}

/* A slash or the end was reached: what is the segment that it ends? */
static int end_segment(struct writer *w)
{
    const char *segment = w->out + w->segment;
    size_t size = w->size - w->segment;
    bool dot = size == 1 && segment[0] == '.';
    bool dots = size == 2 && segment[0] == '.' && segment[1] == '.';
    int err = 0;
    w->folder = size == 0 || dot || dots;
    if (dot || dots)
        take_off(w, w->segment);
    if (dots)
        err = climb(w);
    w->segment = w->size;
    return err;
}

/* The byte at raw.at[*i], decoded; -EINVAL for what may not be in a path. */
static int next_byte(struct http_slice raw, size_t *i)
{
    int c = (unsigned char)raw.at[(*i)++];
    if (c == '%') {
        if (raw.size - *i < 2)
            return -EINVAL;
        int high = http_hex(raw.at[*i]), low = http_hex(raw.at[*i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        *i += 2;
        c = high * 16 + low;
        if (c == '/')
            return -EINVAL;
    }
    return c < 0x20 || c == 0x7f || c == '\\' ? -EINVAL : c;
}

int http_target_path(struct http_slice raw, char *out, size_t capacity, bool *folder)
{
    struct writer w = { .out = out, .capacity = capacity };
    if (raw.size == 0 || raw.at[0] != '/')
        return -EINVAL;
    if (capacity == 0)
        return -ENAMETOOLONG;
    for (size_t i = 1; i < raw.size;) {
        bool slash = raw.at[i] == '/';
        int c = next_byte(raw, &i);
        if (c < 0)
            return c;
        int err = slash ? end_segment(&w) : put_in_segment(&w, (char)c);
        if (err < 0)
            return err;
    }
    int err = end_segment(&w);
    if (err < 0)
        return err;
    out[w.size] = '\0';
    *folder = w.folder;
    return (int)w.size;
}

static int put_encoded(struct writer *w, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    if (http_all(&c, 1, HTTP_PLAIN))
        return put(w, c);
    int err = put(w, '%');
    if (err == 0)
        err = put(w, digits[(unsigned char)c >> 4]);
    if (err == 0)
        err = put(w, digits[(unsigned char)c & 15]);
    return err;
}

int http_target_folder(const char *path, struct http_slice query, char *out,
                       size_t capacity)
{
    struct writer w = { .out = out, .capacity = capacity };
    int err = put(&w, '/');
    for (const char *c = path; *c != '\0' && err == 0; c++)
        err = put_encoded(&w, *c);
    if (*path != '\0' && err == 0)
        err = put(&w, '/');
    if (query.size > 0 && err == 0)
        err = put(&w, '?');
    for (size_t i = 0; i < query.size && err == 0; i++)
        err = put(&w, query.at[i]);
    if (err < 0)
        return err;
    out[w.size] = '\0';
    return (int)w.size;
}
