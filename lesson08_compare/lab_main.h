/* lab_main: what the program lab does once its options are known. Threads: one. */
#ifndef LESSON08_LAB_MAIN_H
#define LESSON08_LAB_MAIN_H

#include "lesson08_compare/lab.h"

/* What was not asked for (0) gets the value of the form, short or full. */
void lab_main_defaults(struct lab *lab, uint64_t rounds, uint64_t measure_ms);

/* Our own folder, which holds the programs; results go beside it. False after a
 * sentence. */
bool lab_main_find_folders(struct lab *lab);

/* Each returns the program's exit status, after a sentence if it is not 0. */
int lab_main_run(struct lab *lab, bool resume);

/* Only what it would do. */
int lab_main_plan(struct lab *lab);

/* The same for a recorded lab. */
int lab_main_report(struct lab *lab, const char *path);
int lab_main_claims(struct lab *lab, const char *path);
int lab_main_html(struct lab *lab, const char *path); /* on stdout */

/* Do two recorded labs agree? 1 if they contradict each other, or have nothing in common
 * that they could agree on. */
int lab_main_agree(struct lab *lab, const char *first, const char *second);

/* Five questions; `answers` are separated by commas, NULL: asks on stdin. */
int lab_main_which(struct lab *lab, const char *answers);

void lab_main_list(struct lab *lab);
void lab_main_print_machine(const struct lab *lab);

#endif
