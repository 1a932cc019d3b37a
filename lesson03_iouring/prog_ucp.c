/* ucp: copies a file with many reads and writes in flight.
 *
 * The copy itself is copy.c; here are the arguments, the descriptors, and one sentence for
 * everything that can go wrong. Where io_uring is refused ucp says so and copies with
 * read and write. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/errname.h"
#include "lesson03_iouring/copy.h"
#include "lesson03_iouring/probe.h"

enum { EXIT_USAGE = 2, DEPTH_MAX = 4096 };
#define BLOCK_MAX ((size_t)64 << 20)
#define MEMORY_MAX ((size_t)1 << 30)

struct options {
    struct copy_plan plan;
    const char *source, *target;
    bool plain, verbose;
};

static void print_help(FILE *out)
{
    fputs("usage: ucp [-d DEPTH] [-b BLOCK] [-p] [-v] SRC DST\n"
          "Copies the file SRC to DST, with many reads and writes in flight.\n\n"
          "  -d, --depth=DEPTH  operations in flight, 1 to 4096 (default 32)\n"
          "  -b, --block=BLOCK  bytes an operation, 512 to 64M (default 128K)\n"
          "  -p, --plain        read and write, one at a time, without io_uring\n"
          "  -v, --verbose      say how much was copied, and in how many system calls\n"
          "  -h, --help         this text\n",
          out);
}

static void complain(const char *format, ...) PRINTF_LIKE(1, 2);

static void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("ucp: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* "64", "128K", "4M"; 0 when it is no such number. */
static size_t parse_size(const char *text)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k'   ? 10
                     : *end == 'M' || *end == 'm' ? 20
                                                  : 0;
    if (shift)
        end++;
    if (errno || *end || value > (SIZE_MAX >> 20))
        return 0;
    return (size_t)value << shift;
}

static bool sizes_make_sense(size_t depth, size_t block)
{
    if (depth < 1 || depth > DEPTH_MAX) {
        complain("the depth must be a number from 1 to %d.", DEPTH_MAX);
        return false;
    }
    if (block < 512 || block > BLOCK_MAX) {
        complain("the block must be a size from 512 to 64M.");
        return false;
    }
    if (depth * block > MEMORY_MAX) {
        complain("depth times block must not be more than 1024M of memory.");
        return false;
    }
    return true;
}

/* 0, EXIT_USAGE, or -1: the help was asked for. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        { "depth", required_argument, NULL, 'd' },
        { "block", required_argument, NULL, 'b' },
        { "plain", no_argument, NULL, 'p' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    size_t depth = 32;
    int option;
    *options = (struct options){ .plan.block = 128 << 10 };
    while ((option = getopt_long(argc, argv, "d:b:pvh", longs, NULL)) != -1) {
        switch (option) {
        case 'd':
            depth = parse_size(optarg);
            break;
        case 'b':
            options->plan.block = parse_size(optarg);
            break;
        case 'p':
            options->plain = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'h':
            return -1;
        default:
            return EXIT_USAGE; /* getopt has said what is wrong */
        }
    }
    if (!sizes_make_sense(depth, options->plan.block))
        return EXIT_USAGE;
    if (argc - optind != 2) {
        complain("expected SRC and DST, got %d argument%s (see ucp --help).",
                 argc - optind, argc - optind == 1 ? "" : "s");
        return EXIT_USAGE;
    }
    options->plan.depth = (unsigned)depth;
    options->source = argv[optind];
    options->target = argv[optind + 1];
    return 0;
}

/* Opens both; 0 or EXIT_FAILURE, having said why. The target is emptied only after it is
 * known to be another file than the source. */
static int open_both(struct options *options, bool *regular)
{
    struct stat from, to;
    options->plan.from = open(options->source, O_RDONLY | O_CLOEXEC);
    if (options->plan.from < 0 || fstat(options->plan.from, &from) < 0) {
        complain("cannot read %s: %s.", options->source, strerror(errno));
        return EXIT_FAILURE;
    }
    if (S_ISDIR(from.st_mode)) {
        complain("%s is a directory; ucp copies files.", options->source);
        return EXIT_FAILURE;
    }
    options->plan.to =
        open(options->target, O_WRONLY | O_CREAT | O_CLOEXEC, from.st_mode & 0777);
    if (options->plan.to < 0 && errno == EISDIR) {
        complain("%s is a directory; name the file to write.", options->target);
        return EXIT_FAILURE;
    }
    if (options->plan.to < 0 || fstat(options->plan.to, &to) < 0) {
        complain("cannot write %s: %s.", options->target, strerror(errno));
        return EXIT_FAILURE;
    }
    if (from.st_dev == to.st_dev && from.st_ino == to.st_ino) {
        complain("%s and %s are the same file.", options->source, options->target);
        return EXIT_FAILURE;
    }
    *regular = S_ISREG(from.st_mode) && S_ISREG(to.st_mode);
    if (S_ISREG(to.st_mode) && ftruncate(options->plan.to, 0) < 0) {
        complain("cannot empty %s: %s.", options->target, strerror(errno));
        return EXIT_FAILURE;
    }
    return 0;
}

static void explain_failure(const struct options *options,
                            const struct copy_report *report, int err)
{
    switch (report->step) {
    case COPY_SETUP:
        complain("cannot start the copy: %s.", errtext(err));
        break;
    case COPY_READ:
        complain("cannot read %s: %s.", options->source, errtext(err));
        break;
    case COPY_WRITE:
        complain("cannot write %s: %s; it is incomplete.", options->target,
                 errtext(err));
        break;
    case COPY_CHANGED:
        complain("%s grew while it was copied; copy it again.", options->source);
        break;
    }
}

static int copy(struct options *options, bool by_ring, struct copy_report *report)
{
    char why[320];
    if (!by_ring)
        return copy_by_loop(&options->plan, report);
    int err = copy_by_ring(&options->plan, report);
    if (!err || report->step != COPY_SETUP)
        return err;
    ring_explain(err, why, sizeof why);
    complain("%s Copying with read and write instead.", why);
    return copy_by_loop(&options->plan, report);
}

int main(int argc, char **argv)
{
    struct options options;
    struct copy_report report;
    bool regular = false;
    int status = parse(argc, argv, &options);
    if (status) {
        if (status < 0)
            print_help(stdout);
        return status < 0 ? EXIT_SUCCESS : status;
    }
    signal(SIGXFSZ,
           SIG_IGN); /* a file-size limit is an error of write, with a sentence */
    signal(SIGPIPE, SIG_IGN);
    status = open_both(&options, &regular);
    if (status)
        return status;
    bool by_ring = regular && !options.plain;
    uint64_t started = clock_now();
    int err = copy(&options, by_ring, &report);
    if (!err && close(options.plan.to) < 0) {
        report.step = COPY_WRITE;
        err = -errno;
    }
    if (err) {
        explain_failure(&options, &report, err);
        return EXIT_FAILURE;
    }
    if (options.verbose)
        fprintf(stderr, "ucp: %llu bytes in %.1f ms, %llu system calls.\n",
                (unsigned long long)report.bytes,
                (double)(clock_now() - started) / (double)NS_PER_MS,
                (unsigned long long)report.calls);
    return EXIT_SUCCESS;
}
