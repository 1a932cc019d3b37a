/* base_uring: the baseline for every cell of the matrix whose driver is io_uring. */
#include "lesson08_compare/base_uring.h"

int main(int argc, char **argv)
{
    return base_main(argc, argv,
                     "A server without a runtime: one thread, one io_uring loop, "
                     "multishot accept and receive.",
                     base_uring_serve);
}
