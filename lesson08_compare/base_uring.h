/* base_uring: see base_uring.c. */
#ifndef LESSON08_BASE_URING_H
#define LESSON08_BASE_URING_H

#include "lesson08_compare/base.h"

int base_uring_serve(struct base *base);

#endif
