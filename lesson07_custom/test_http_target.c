/* What a request's path becomes, and what it cannot become. Raw paths and result buffers
 * lie in heap blocks of exactly their size. */
#include "common/testing/testing.h"

#include "lesson07_custom/http_target.h"

struct row {
    const char *raw;
    const char *path; /* NULL: refused */
    bool folder;
};

static const struct row rows[] = {
    { "/", "", true },
    { "/a", "a", false },
    { "/a/", "a", true },
    { "/a/b.txt", "a/b.txt", false },
    { "//a///b//", "a/b", true },
    { "/%61%2Etxt", "a.txt", false },
    { "/%c3%a4", "\xc3\xa4", false },
    { "/a%20b+c", "a b+c", false },
    { "/a%25b", "a%b", false },
    { "/a%3fb", "a?b", false },
    { "/...", "...", false },
    { "/..a/.b/c..", "..a/.b/c..", false },
    /* dot segments, plain and encoded */
    { "/.", "", true },
    { "/./a", "a", false },
    { "/a/.", "a", true },
    { "/a/..", "", true },
    { "/a/b/..", "a", true },
    { "/a/b/../", "a", true },
    { "/a/../b", "b", false },
    { "/a/b/../../c", "c", false },
    { "/a/%2e%2E/b", "b", false },
    { "/a/.%2e/b", "b", false },
    { "/%2e/a", "a", false },
    { "/a//../b", "b", false },
    /* decoded once, not twice */
    { "/%252e%252e/a", "%2e%2e/a", false },
    { "/%2500", "%00", false },
    /* above the root */
    { "/..", NULL, false },
    { "/../a", NULL, false },
    { "/%2e%2e/a", NULL, false },
    { "/a/../../b", NULL, false },
    { "/a/../..", NULL, false },
    { "/./../a", NULL, false },
    { "//..", NULL, false },
    { "/a/b/../../../etc/passwd", NULL, false },
    /* bytes that are refused */
    { "/a%00", NULL, false },
    { "/a%00.txt", NULL, false },
    { "/%0a", NULL, false },
    { "/a%7f", NULL, false },
    { "/a\\b", NULL, false },
    { "/a%5cb", NULL, false },
    { "/..%5c..%5ca", NULL, false },
    { "/a%2fb", NULL, false },
    { "/..%2f..%2fetc/passwd", NULL, false },
    /* broken encodings */
    { "/%", NULL, false },
    { "/%4", NULL, false },
    { "/%zz", NULL, false },
    { "/%4z", NULL, false },
    { "/a%-1", NULL, false },
    { "/%%41", NULL, false },
    /* not a path at all */
    { "", NULL, false },
    { "*", NULL, false },
    { "a/b", NULL, false },
};

/* Calls with exact-size memory on both sides; the caller frees *out. */
static int convert(const char *raw, size_t size, char **out, size_t capacity,
                   bool *folder)
{
    char *copy = malloc(size > 0 ? size : 1);
    *out = malloc(capacity > 0 ? capacity : 1);
    assert_non_null(copy);
    assert_non_null(*out);
    memcpy(copy, raw, size);
    int length =
        http_target_path((struct http_slice){ copy, size }, *out, capacity, folder);
    free(copy);
    return length;
}

static void each_path_becomes_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        char *out;
        bool folder = false;
        int length = convert(row->raw, strlen(row->raw), &out, 64, &folder);
        if (row->path == NULL && length != -EINVAL)
            fail_msg("%s: %d, not refused", row->raw, length);
        if (row->path != NULL && (length != (int)strlen(row->path) ||
                                  strcmp(out, row->path) != 0 || folder != row->folder))
            fail_msg("%s: %d %s %s", row->raw, length, length < 0 ? "" : out,
                     folder ? "folder" : "file");
        free(out);
    }
}

static void a_nul_byte_itself_is_refused(void **state)
{
    (void)state;
    char *out;
    bool folder;
    assert_int_equal(convert("/a\0b", 4, &out, 64, &folder), -EINVAL);
    free(out);
}

static void a_small_buffer_is_reported_and_not_overrun(void **state)
{
    (void)state;
    char *out;
    bool folder;
    for (size_t capacity = 0; capacity < 12; capacity++) {
        int length = convert("/abc/defg", 9, &out, capacity, &folder);
        assert_int_equal(length, capacity < 9 ? -ENAMETOOLONG : 8);
        free(out);
        length = convert("/abc//defg/", 11, &out, capacity, &folder);
        assert_int_equal(length, capacity < 9 ? -ENAMETOOLONG : 8);
        free(out);
    }
    char deep[4096];
    memset(deep, 'x', sizeof deep);
    deep[0] = '/';
    assert_int_equal(convert(deep, sizeof deep, &out, 1024, &folder), -ENAMETOOLONG);
    free(out);
    assert_int_equal(convert(deep, sizeof deep, &out, 4096, &folder), 4095);
    free(out);
}

static bool stays_below(const char *path)
{
    if (path[0] == '/')
        return false;
    while (*path != '\0') {
        size_t size = strcspn(path, "/");
        bool dots = (size == 1 || size == 2) && strspn(path, ".") == size;
        if (size == 0 || dots)
            return false;
        path += size + (path[size] == '/');
    }
    return true;
}

/* Made of the pieces that attacks are made of. */
static void no_path_ever_leaves_the_root(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "/",   "/",   ".", "..",  "%2e", "%2E%2e", "a",  "b/",     "%2f", "\\",
        "%00", "%25", "%", "%5c", "../", "x",      "//", "%c0%ae", "~",   "...",
    };
    uint64_t word = 0x853c49e6748fea9b;
    unsigned accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char raw[128] = "/";
        for (int i = 0; i < 12; i++) {
            word = word * 6364136223846793005u + 1442695040888963407u;
            const char *piece = pieces[(word >> 33) % ARRAY_SIZE(pieces)];
            if (i < 2 + round % 11)
                strcat(raw, piece);
        }
        char *out;
        bool folder;
        int length = convert(raw, strlen(raw), &out, 128, &folder);
        if (length >= 0) {
            accepted++;
            if (!stays_below(out) || (size_t)length != strlen(out))
                fail_msg("%s became %s", raw, out);
        }
        free(out);
    }
    assert_in_range(accepted, 1000, 19000);
}

static void a_redirect_names_the_folder_on_this_host(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query, *location;
    } cases[] = {
        { "docs", "", "/docs/" },
        { "a b/\xc3\xa4", "q=1&r", "/a%20b/%C3%A4/?q=1&r" },
        { "", "", "/" },
        { "evil.example", "", "/evil.example/" },
        { "x?y#z%", "", "/x%3Fy%23z%25/" },
    };
    char out[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_slice query = { cases[i].query, strlen(cases[i].query) };
        int size = http_target_folder(cases[i].path, query, out, sizeof out);
        assert_string_equal(out, cases[i].location);
        assert_int_equal(size, strlen(cases[i].location));
    }
    /* "//evil.example" would be another host; the way through both functions is safe */
    bool folder;
    struct http_slice raw = { "//evil.example", 14 };
    assert_true(http_target_path(raw, out, sizeof out, &folder) > 0);
    char location[64];
    http_target_folder(out, (struct http_slice){ NULL, 0 }, location, sizeof location);
    assert_string_equal(location, "/evil.example/");
    for (size_t capacity = 0; capacity < 10; capacity++)
        assert_int_equal(http_target_folder("a b", (struct http_slice){ "q", 1 },
                                            location, capacity),
                         -ENAMETOOLONG);
    assert_int_equal(
        http_target_folder("a b", (struct http_slice){ "q", 1 }, location, 10), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_becomes_what_it_should),
        cmocka_unit_test(a_nul_byte_itself_is_refused),
        cmocka_unit_test(a_small_buffer_is_reported_and_not_overrun),
        cmocka_unit_test(no_path_ever_leaves_the_root),
        cmocka_unit_test(a_redirect_names_the_folder_on_this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
