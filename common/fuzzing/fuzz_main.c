/* fuzz_main: the driver of a fuzz target where there is no libFuzzer.
 *
 *     fuzz_NAME --corpus DIR [--dict FILE] [--runs N] [--seconds S] [--seed N]
 *     fuzz_NAME FILE...        these inputs only: to see a failure again
 *
 * First each file of the corpus, then mutations of them, the same for the same seed. It
 * learns nothing from what it sees: libFuzzer goes deeper. It needs no other compiler.
 *
 * Problem: whatever goes wrong (a CHECK, a sanitizer's report, an endless loop) ends the
 * process, and who ended is in no state to say by which input. Idea: a child tries the
 * inputs, in memory that its parent shares; the parent only waits, and writes down the
 * last one. Invariant: what lies in `shared` is the input that is being tried, as the
 * target got it.
 *
 * Under ASan each input has to free what it allocated. Exit 0: all inputs are well; 1:
 * one is not; 2: a wrong option. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/fuzzing/fuzz.h"
#include "common/fuzzing/mutate.h"
#include "common/option_word.h"

#define INPUT_MAX (1u << 20)
/* What one input may allocate in all: far more than any parser here has a reason to. */
#define ALLOCATED_MAX (UINT64_C(1) << 28)

/* There under a sanitizer only. */
extern int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void *, size_t),
    void (*free_hook)(const volatile void *)) __attribute__((weak));
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static struct options {
    const char *name; /* the program's, without its folder */
    const char *corpus, *words, *found;
    char **files; /* borrows from argv: inputs behind those of the corpus */
    uint64_t runs, seconds, seed, limit, room;
    struct fuzz_list inputs, dictionary;
} options = {
    .found = "build/found", .runs = 20000, .seed = 1, .limit = 10, .room = 4096
};

static struct shared {
    uint64_t files, mutations;
    size_t size;
    uint8_t bytes[INPUT_MAX];
} * shared;

/* ---- the child */

static uint64_t blocks_allocated, blocks_freed, bytes_allocated;

static void count_malloc(const volatile void *block, size_t size)
{
    (void)block;
    blocks_allocated++;
    bytes_allocated += size;
}

static void count_free(const volatile void *block)
{
    blocks_freed += block != NULL;
}

static void try_input(void)
{
    alarm((unsigned)options.limit);
    char *copy = fuzz_copy(shared->bytes, shared->size);
    blocks_allocated = blocks_freed = bytes_allocated = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)copy, shared->size);
    CHECK(bytes_allocated <= ALLOCATED_MAX, "%" PRIu64 " bytes for %zu of input",
          bytes_allocated, shared->size);
    /* Not all that stays is lost (a buffer of stdio); only the leak checker knows. */
    if (blocks_allocated != blocks_freed && __lsan_do_recoverable_leak_check)
        CHECK(__lsan_do_recoverable_leak_check() == 0, "the target leaks");
    free(copy);
}

static void take(const struct fuzz_bytes *input)
{
    shared->size = input->size < INPUT_MAX ? input->size : INPUT_MAX;
    memcpy(shared->bytes, input->at, shared->size);
}

static void try_mutations(void)
{
    struct fuzz_mutator mutator = { .chance = options.seed * 2 + 1,
                                    .inputs = &options.inputs,
                                    .words = &options.dictionary };
    uint64_t end = options.seconds > 0 ? clock_now() + options.seconds * NS_PER_S : 0;
    for (uint64_t run = 0; end > 0 || run < options.runs; run++) {
        if (end > 0 && run % 64 == 0 && clock_now() >= end)
            return;
        take(&options.inputs.all[fuzz_chance(&mutator, options.inputs.count)]);
        if (shared->size > options.room)
            shared->size = options.room;
        struct fuzz_bytes input = { shared->bytes, shared->size };
        fuzz_mutate(&mutator, &input, options.room);
        shared->size = input.size;
        try_input();
        shared->mutations++;
    }
}

static _Noreturn void child(bool mutate)
{
    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
    for (size_t i = 0; i < options.inputs.count; i++) {
        take(&options.inputs.all[i]);
        try_input();
        shared->files++;
    }
    if (mutate)
        try_mutations();
    _exit(0); /* each input has been looked at; what the parent made is not ours */
}

/* ---- the parent */

static void print_escaped(FILE *out)
{
    fputc('"', out);
    for (size_t i = 0; i < shared->size && i < 300; i++) {
        uint8_t c = shared->bytes[i];
        if (c == '\\' || c == '"')
            fprintf(out, "\\%c", c);
        else if (c >= ' ' && c < 0x7f)
            fputc(c, out);
        else if (c == '\r' || c == '\n')
            fputs(c == '\r' ? "\\r" : "\\n", out);
        else
            fprintf(out, "\\x%02x", c);
    }
    fputs(shared->size > 300 ? "\"..." : "\"", out);
}

static int write_input(char path[512])
{
    size_t number = fuzz_choose(shared->bytes, shared->size, UINT32_MAX, 0);
    snprintf(path, 512, "%.400s/%.60s-%08zx", options.found, options.name, number);
    if (mkdir(options.found, 0777) < 0 && errno != EEXIST)
        return -errno;
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    bool whole = fwrite(shared->bytes, 1, shared->size, file) == shared->size;
    return fclose(file) == 0 && whole ? 0 : -EIO;
}

static void say_how(int status, FILE *out)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fprintf(out, "takes longer than %" PRIu64 " s", options.limit);
    else if (WIFSIGNALED(status))
        fprintf(out, "ends in signal %d (%s)", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else
        fprintf(out, "ends the program with status %d", WEXITSTATUS(status));
}

static int report_failure(int status, const char *program)
{
    char path[512];
    const char *which = options.corpus ? "an input" : options.files[shared->files];
    fprintf(stderr, "%s: %s of %zu bytes ", options.name, which, shared->size);
    say_how(status, stderr);
    fprintf(stderr, ": ");
    print_escaped(stderr);
    fputc('\n', stderr);
    int err = options.corpus ? write_input(path) : 0; /* else it is in a file already */
    if (err < 0)
        fprintf(stderr, "it could not be written to %s: %s\n", path, errtext(err));
    else if (options.corpus)
        fprintf(stderr, "once more: %s %s\n", program, path);
    return 1;
}

static int report_success(uint64_t ns)
{
    uint64_t tried = shared->files + shared->mutations;
    printf("%s: %" PRIu64 " files, %" PRIu64 " mutations, %.0f inputs a second\n",
           options.name, shared->files, shared->mutations,
           (double)tried * 1e9 / (double)(ns + 1));
    return 0;
}

static int run(const char *program, bool mutate)
{
    int status;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED, "no memory to share");
    uint64_t start = clock_now();
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0, "cannot fork: errno %d", errno);
    if (pid == 0)
        child(mutate);
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR, "cannot wait: errno %d", errno);
    return status == 0 ? report_success(clock_now() - start)
                       : report_failure(status, program);
}

/* ---- the command line */

static const struct option long_options[] = {
    { "corpus", required_argument, NULL, 'c' },
    { "dict", required_argument, NULL, 'd' },
    { "found", required_argument, NULL, 'f' },
    { "runs", required_argument, NULL, 'r' },
    { "seconds", required_argument, NULL, 's' },
    { "seed", required_argument, NULL, 'S' },
    { "limit", required_argument, NULL, 'l' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int wrong(const char *what, const char *why)
{
    fprintf(stderr, "%s: '%s' %s; try --help\n", options.name, what, why);
    return 2;
}

static int help(void)
{
    printf("usage: %s --corpus DIR [options], or: %s FILE...\n"
           "Tries inputs on one parser of the course, until one of them fails.\n\n"
           "  --corpus DIR   begin with the files of this folder\n"
           "  --dict FILE    words to put into them, as libFuzzer has them\n"
           "  --runs N       so many mutations (%" PRIu64 "); 0: the files only\n"
           "  --seconds S    so long, instead\n"
           "  --seed N       another row of mutations (%" PRIu64 ")\n"
           "  --limit S      what one input may take (%" PRIu64 ")\n"
           "  --found DIR    where an input that fails is put (%s)\n",
           options.name, options.name, options.runs, options.seed, options.limit,
           options.found);
    return 0;
}

static bool number(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *value <= most;
}

/* NULL: taken; else what is wrong with the value. */
static const char *take_option(int option, const char *value)
{
    static const char none[] = "is no number, or too large a one";
    switch (option) {
    case 'c':
        options.corpus = value;
        return NULL;
    case 'd':
        options.words = value;
        return NULL;
    case 'f':
        options.found = value;
        return NULL;
    case 'r':
        return number(value, UINT64_MAX, &options.runs) ? NULL : none;
    case 's':
        return number(value, 1000000, &options.seconds) ? NULL : none;
    case 'S':
        return number(value, INT64_MAX, &options.seed) ? NULL : none;
    default:
        return number(value, 3600, &options.limit) ? NULL : none;
    }
}

/* 0: go on with what was read; else the exit status. */
static int read_files(char **files, int count)
{
    unsigned line = 0;
    int err = options.corpus ? fuzz_list_folder(&options.inputs, options.corpus) : 0;
    if (err < 0)
        return wrong(options.corpus, errtext(err));
    options.files = files;
    for (int i = 0; i < count; i++) {
        err = fuzz_list_file(&options.inputs, files[i]);
        if (err < 0)
            return wrong(files[i], errtext(err));
    }
    if (options.inputs.count == 0)
        return options.corpus ? wrong(options.corpus, "is a corpus without files")
                              : wrong("--corpus", "is missing, and there is no FILE");
    err =
        options.words ? fuzz_list_words(&options.dictionary, options.words, &line) : 0;
    if (err == -EINVAL)
        fprintf(stderr, "%s: line %u of %s is no \"word\"\n", options.name, line,
                options.words);
    else if (err < 0)
        wrong(options.words, errtext(err));
    return err < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    int option, status;
    options.name = slash ? slash + 1 : argv[0];
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'h')
            return help();
        if (option == '?' || option == ':')
            return wrong(option_word(argv),
                         option == '?' ? "is no option" : "wants a value");
        const char *problem = take_option(option, optarg);
        if (problem)
            return wrong(optarg, problem);
    }
    status = read_files(argv + optind, argc - optind);
    if (status == 0)
        status = run(argv[0], options.corpus != NULL);
    fuzz_list_finish(&options.inputs);
    fuzz_list_finish(&options.dictionary);
    return status;
}
