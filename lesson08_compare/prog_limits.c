/* limits: the work of WORKLOADS.md without a runtime, as a contestant like the others. */
#include "lesson08_compare/limits.h"

int main(int argc, char **argv)
{
    return work_main(&limits_program, argc, argv);
}
