/* base_epoll: the baseline for every cell of the matrix whose driver is epoll. */
#include "lesson08_compare/base_epoll.h"

int main(int argc, char **argv)
{
    return base_main(argc, argv,
                     "A server without a runtime: one thread, one epoll loop.",
                     base_epoll_serve);
}
