/* base_epoll: see base_epoll.c. */
#ifndef LESSON08_BASE_EPOLL_H
#define LESSON08_BASE_EPOLL_H

#include "lesson08_compare/base.h"

int base_epoll_serve(struct base *base);

#endif
