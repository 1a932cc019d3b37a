/* html: a recorded lab as one page for a browser.
 *
 * One file without network and without scripts, so that it can be kept, mailed and opened
 * in ten years. Everything that came from outside - a machine's name, a version, what a
 * failed program said - is escaped on its way in.
 *
 * Threads: one. */
#ifndef LESSON08_HTML_H
#define LESSON08_HTML_H

#include <stdio.h>

#include "lesson08_compare/lab.h"
#include "lesson08_compare/report.h"

/* The whole page. False if it could not be written. */
bool html_page(const struct lab *lab, FILE *out);

/* The page as report.html in the lab's folder; says where. Negative errno. */
int html_save(const struct lab *lab);

/* ---- its parts */

extern const char html_style[];

/* Text, with what means something to a browser escaped. */
void html_text(FILE *out, const char *text);

/* A number in three digits that count, as a cell; empty if it is not known (< 0). */
void html_cell(FILE *out, double value);

/* "1.07 [0.94..1.25]" as a cell, without a word if nothing is known. */
void html_spread_cell(FILE *out, struct spread spread);

/* A table in a box that scrolls by itself; heads are separated by '|'. */
void html_table_begin(FILE *out, const char *name, const char *heads);
void html_table_end(FILE *out);

/* Ours against the best of the others; empty where nothing can be asked. */
void html_verdicts(const struct lab *lab, FILE *out);

/* All groups of rows, each with its tables and plots. */
void html_groups(const struct lab *lab, FILE *out);
void html_row(const struct lab *lab, int row, FILE *out);
void html_matrix(const struct lab *lab, FILE *out);

/* Which value a row is drawn by, and in which unit. */
struct html_axis {
    lab_value *value;
    const char *name; /* "CPU a request" */
    const char *unit; /* "us" */
    double factor;    /* from the run's unit */
};
struct html_axis html_axis(const struct lab *lab, int row);

/* Is there a gnuplot? */
bool html_can_plot(void);
/* One value of a row for all who have it, as an <svg>. False if there was no picture. */
bool html_plot(const struct lab *lab, int row, const struct html_axis *axis, FILE *out);

#endif
