/* html_plot: pictures by gnuplot, made fit for a page.
 *
 * gnuplot draws in black on nothing, gives every element a number for a name, and brings
 * definitions for symbols that we do not use. Inlined a dozen times into one page, names
 * would clash and black would vanish on a dark screen. So its SVG is rewritten line by
 * line: black becomes currentColor, names and definitions go, and what the picture shows
 * is said in words for who cannot see it. The script that gnuplot reads holds only our
 * own names and numbers. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/container.h"
#include "lesson08_compare/html.h"
#include "lesson08_compare/process.h"

#define WIDTH 400
#define BAR_HEIGHT 16
#define FRAME_HEIGHT 62
#define LOG_FROM 50.0 /* how many times the least the greatest is */

extern char **environ;

bool html_can_plot(void)
{
    return program_in_path("gnuplot");
}

/* ---- what is drawn */

struct bar {
    const char *name;
    enum lab_kind kind;
    struct spread spread;
};

static struct html_axis in_unit(struct html_axis axis, double largest_us)
{
    double ns = largest_us * 1000;
    axis.unit = ns < 1e5 ? "ns" : ns < 1e8 ? "us" : "ms";
    axis.factor = ns < 1e5 ? 1000 : ns < 1e8 ? 1 : 0.001;
    return axis;
}

struct html_axis html_axis(const struct lab *lab, int row)
{
    static const char *const names[] = { "CPU", "wall time", "p50", "p99", "memory" };
    struct html_axis axis = { report_metric(row), names[lab_rows[row].metric], "us",
                              1 };
    double largest = 0;
    if (lab_rows[row].kind == LAB_SERVER) {
        axis.name = "CPU a request";
        return axis;
    }
    if (lab_rows[row].metric == LAB_BY_BYTES) {
        axis.unit = "bytes a task";
        return axis;
    }
    for (int c = 0; c < lab_contestant_count; c++) {
        struct spread spread = lab_spread(lab, row, c, axis.value);
        if (spread.count && spread.median > largest)
            largest = spread.median;
    }
    return in_unit(axis, largest);
}

static int take_bars(const struct lab *lab, int row, const struct html_axis *axis,
                     struct bar bars[LAB_CONTESTANTS_MAX])
{
    int n = 0;
    for (int c = 0; c < lab_contestant_count; c++) {
        struct spread spread = lab_spread(lab, row, c, axis->value);
        if (spread.count == 0)
            continue;
        spread.low *= axis->factor;
        spread.median *= axis->factor;
        spread.high *= axis->factor;
        bars[n++] =
            (struct bar){ lab_contestants[c].name, lab_contestants[c].kind, spread };
    }
    return n;
}

static int better(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    return (x->spread.median > y->spread.median) -
           (x->spread.median < y->spread.median);
}

/* The raw epoll loop, or whoever is best without a runtime; -1: nobody. */
static double limit_of(const struct bar *bars, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(bars[i].name, "raw-epoll") == 0)
            return bars[i].spread.median;
    for (int i = 0; i < n; i++)
        if (bars[i].kind == LAB_LIMIT)
            return bars[i].spread.median;
    return -1;
}

static int height_of(int n)
{
    return FRAME_HEIGHT + n * BAR_HEIGHT;
}

/* Bars that differ a hundredfold are not comparable by their length. */
static bool wants_log(const struct bar *bars, int n)
{
    return bars[0].spread.low > 0 &&
           bars[n - 1].spread.median > LOG_FROM * bars[0].spread.median;
}

/* So that five labels fit: 1, 2 or 5 times a power of ten. */
static double step_of(const struct bar *bars, int n)
{
    double largest = 0, step = 1e-6;
    for (int i = 0; i < n; i++)
        largest = bars[i].spread.high > largest ? bars[i].spread.high : largest;
    while (step * 50 < largest)
        step *= 10;
    return step * 5 >= largest    ? step
           : step * 10 >= largest ? step * 2
           : step * 25 >= largest ? step * 5
                                  : step * 10;
}

static void script(const struct bar *bars, int n, const struct html_axis *axis,
                   FILE *to)
{
    static const int colours[] = { [LAB_CELL] = 0x3b82c4,
                                   [LAB_BASELINE] = 0x87909b,
                                   [LAB_PEER] = 0xc97a1b,
                                   [LAB_LIMIT] = 0x87909b };
    double limit = limit_of(bars, n);
    bool log = wants_log(bars, n);
    fprintf(to,
            "set terminal svg size %d,%d dynamic font 'sans-serif,12' noenhanced\n"
            "unset key\nset border 1\nset lmargin 14\nset rmargin 3\nset tmargin 0.5\n"
            "set tics scale 0.5\nset xtics nomirror\n"
            "set style fill solid 0.9 noborder\n"
            "set grid xtics lt 1 lc rgb '#808080' lw 0.3\nset xlabel '%s, %s%s'\n"
            "set yrange [%d.5:0.5]\nset format x '%s'\n",
            WIDTH, height_of(n), axis->name, axis->unit, log ? " (log scale)" : "", n,
            log && bars[0].spread.low >= 1 ? "%.0s%c" : "%g");
    if (log)
        fprintf(to, "set logscale x\nset xrange [%.9g:*]\n", bars[0].spread.low / 2);
    else
        fprintf(to, "set xrange [0:*]\nset xtics %.9g\n", step_of(bars, n));
    if (limit > 0)
        fprintf(
            to,
            "set arrow from %.9g,graph 0 to %.9g,graph 1 nohead dt (4,3) lw 1.4 lc rgb "
            "'black' front\n",
            limit, limit);
    fputs("set ytics nomirror (", to);
    for (int i = 0; i < n; i++)
        fprintf(to, "%s'%s' %d", i ? "," : "", bars[i].name, i + 1);
    fputs(")\n$d << EOD\n", to);
    for (int i = 0; i < n; i++)
        fprintf(to, "%d %.9g %.9g %.9g %d\n", i + 1, bars[i].spread.median,
                bars[i].spread.low, bars[i].spread.high, colours[bars[i].kind]);
    fprintf(to,
            "EOD\nset bars 0.5\n"
            "plot $d using 2:1:(%.9g):2:($1-0.36):($1+0.36):5 with boxxyerror lc rgb "
            "variable, $d using 2:1:3:4 with xerrorbars lc rgb 'black' lw 1.2 pt 0\n",
            log ? bars[0].spread.low / 2 : 0.0);
}

/* ---- gnuplot */

/* Runs it between two files. */
static bool run_gnuplot(FILE *in, FILE *out)
{
    static char name[] = "gnuplot";
    char *const argv[] = { name, NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    fflush(in);
    if (lseek(fileno(in), 0, SEEK_SET) < 0 ||
        posix_spawn_file_actions_init(&actions) != 0)
        return false;
    posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    bool started = posix_spawnp(&pid, name, &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    while (started && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    rewind(out);
    return started && status == 0;
}

/* ---- its SVG */

/* How many bytes of the line say "black", 0 for none. gnuplot has several ways. */
static size_t black(const char *line)
{
    static const char *const ways[] = { "'black'", "\"black\"", "'rgb(  0,   0,   0)'",
                                        "\"rgb(  0,   0,   0)\"" };
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
        if (strncmp(line, ways[i], strlen(ways[i])) == 0)
            return strlen(ways[i]);
    return 0;
}

/* One line, with black as currentColor, and without names. */
static void rewrite(const char *line, FILE *out)
{
    while (*line) {
        size_t length = black(line);
        if (length > 0) {
            fputs("\"currentColor\"", out);
            line += length;
        } else if (strncmp(line, " id=\"", 5) == 0) {
            line += 5 + strcspn(line + 5, "\"");
            line += *line == '"';
        } else if (strncmp(line, "<title>", 7) == 0) {
            const char *end = strstr(line, "</title>");
            line = end ? end + 8 : line + strlen(line);
        } else
            fputc(*line++, out);
    }
}

/* From the first element to the last. False if it is no SVG. */
static bool rewrite_all(FILE *svg, FILE *out)
{
    char *line = NULL;
    size_t room = 0;
    bool inside = false, defining = false, ended = false;
    while (!ended && getline(&line, &room, svg) > 0) {
        if (!inside)
            inside = strcmp(line, ">\n") == 0; /* the end of <svg ... > */
        else if (defining || strncmp(line, "<defs>", 6) == 0)
            defining = !strstr(line, "</defs>");
        else if (!strstr(line, "<desc>") && !strstr(line, "<use ")) {
            rewrite(line, out);
            ended = strstr(line, "</svg>") != NULL;
        }
    }
    free(line);
    return ended;
}

static void begin_svg(int row, const struct bar *bars, int n,
                      const struct html_axis *axis, FILE *out)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH,
            height_of(n));
    html_text(out, lab_rows[row].title);
    fprintf(out, ": bars of the %s in %s, best first, from ", axis->name, axis->unit);
    fprintf(out, "%s with %.3g to %s with %.3g; all numbers are in the table\">\n",
            bars[0].name, bars[0].spread.median, bars[n - 1].name,
            bars[n - 1].spread.median);
}

bool html_plot(const struct lab *lab, int row, const struct html_axis *axis, FILE *out)
{
    struct bar bars[LAB_CONTESTANTS_MAX];
    int n = take_bars(lab, row, axis, bars);
    if (n == 0)
        return false;
    qsort(bars, (size_t)n, sizeof *bars, better);
    FILE *in = tmpfile(), *svg = tmpfile();
    bool drawn = in && svg;
    if (drawn) {
        script(bars, n, axis, in);
        drawn = run_gnuplot(in, svg);
    }
    if (drawn) {
        begin_svg(row, bars, n, axis, out);
        drawn = rewrite_all(svg, out);
        if (!drawn)
            fputs("</svg>", out);
    }
    if (in)
        fclose(in);
    if (svg)
        fclose(svg);
    return drawn;
}
