/* fuzz_list: the inputs of a corpus and the words of a dictionary, read from files. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fuzzing/mutate.h"

int fuzz_list_add(struct fuzz_list *list, const void *bytes, size_t size)
{
    struct fuzz_bytes *all =
        realloc(list->all, (list->count + 1) * sizeof(struct fuzz_bytes));
    if (!all)
        return -ENOMEM;
    list->all = all;
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, size);
    list->all[list->count++] = (struct fuzz_bytes){ copy, size };
    return 0;
}

void fuzz_list_finish(struct fuzz_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->all[i].at);
    free(list->all);
    *list = (struct fuzz_list){ 0 };
}

int fuzz_list_file(struct fuzz_list *list, const char *path)
{
    char piece[4096];
    char *bytes = NULL;
    size_t size = 0, n;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    FILE *all = open_memstream(&bytes, &size);
    if (!all) {
        fclose(file);
        return -ENOMEM;
    }
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        fwrite(piece, 1, n, all);
    int err = ferror(file) ? -EIO : 0; /* a folder can be opened, not read */
    fclose(file);
    if (fclose(all) != 0)
        err = -ENOMEM;
    if (err == 0)
        err = fuzz_list_add(list, bytes, size);
    free(bytes);
    return err;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int fuzz_list_folder(struct fuzz_list *list, const char *folder)
{
    struct dirent **found = NULL;
    int count = scandir(folder, &found, visible, alphasort), err = 0;
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat is;
        snprintf(path, sizeof path, "%s/%s", folder, found[i]->d_name);
        if (err == 0 && stat(path, &is) == 0 && S_ISREG(is.st_mode))
            err = fuzz_list_file(list, path);
        free(found[i]);
    }
    free(found);
    return err;
}

/* The byte at *at, its escape resolved, and *at behind it; -EINVAL. */
static int word_byte(const char **at)
{
    char digits[3] = "";
    char *end;
    char c = *(*at)++;
    if (c != '\\')
        return (unsigned char)c;
    c = *(*at)++;
    if (c == '\\' || c == '"')
        return c;
    if (c != 'x')
        return -EINVAL;
    memcpy(digits, *at, strnlen(*at, 2));
    long value = strtol(digits, &end, 16);
    *at += 2;
    return end == digits + 2 ? (int)value : -EINVAL;
}

static int take_word(struct fuzz_list *list, const char *line)
{
    char word[256];
    size_t size = 0;
    line += strspn(line, " \t");
    if (*line == '#' || *line == '\n' || *line == '\0')
        return 0;
    const char *at = strchr(line, '"');
    if (!at++)
        return -EINVAL;
    while (*at != '"') {
        int byte = *at ? word_byte(&at) : -EINVAL;
        if (byte < 0 || size == sizeof word)
            return -EINVAL;
        word[size++] = (char)byte;
    }
    return size > 0 ? fuzz_list_add(list, word, size) : -EINVAL;
}

int fuzz_list_words(struct fuzz_list *list, const char *path, unsigned *line)
{
    char text[1024];
    int err = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    for (*line = 1; err == 0 && fgets(text, sizeof text, file); ++*line)
        err = take_word(list, text);
    --*line;
    fclose(file);
    return err;
}
