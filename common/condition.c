/* condition: the three calls that it takes to choose a clock. */
#include "common/condition.h"

#include <time.h>

int condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    int err = pthread_condattr_init(&monotonic);
    if (err != 0)
        return -err;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    err = pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return -err;
}
