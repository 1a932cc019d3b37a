/* base_threads: what a server looks like when the kernel does all the scheduling. */
#include "lesson08_compare/base_threads.h"

int main(int argc, char **argv)
{
    return base_main(argc, argv,
                     "A server without a runtime: one thread for each connection, "
                     "blocking calls.",
                     base_threads_serve);
}
