/* work: our runtime as a contestant of WORKLOADS.md.
 *
 *     work --list
 *     work --mode core/uring --workload spawn */
#include "lesson08_compare/work_runtime.h"

int main(int argc, char **argv)
{
    return work_main(&work_program, argc, argv);
}
