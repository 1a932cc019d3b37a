/* base_threads: see base_threads.c. */
#ifndef LESSON08_BASE_THREADS_H
#define LESSON08_BASE_THREADS_H

#include "lesson08_compare/base.h"

int base_threads_serve(struct base *base);

#endif
