/* explore_testing: what the explorer's tests of itself share. */
#ifndef COMMON_EXPLORE_TESTING_H
#define COMMON_EXPLORE_TESTING_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/explore/explore.h"

static inline struct explore_result search_with(const struct explore_options *options,
                                                void (*scenario)(void))
{
    struct explore_result result;
    assert_int_equal(explore(options, scenario, &result), 0);
    return result;
}

/* Every order, under one model. */
static inline struct explore_result search_all(enum explore_model model,
                                               void (*scenario)(void))
{
    struct explore_options options = { .model = model, .bound = -1 };
    return search_with(&options, scenario);
}

/* The scenario breaks exactly this rule; NULL: none, and every order was tried. */
static inline void expect_rule(enum explore_model model, void (*scenario)(void),
                               const char *rule)
{
    struct explore_result result = search_all(model, scenario);
    if (!rule) {
        if (result.failed)
            fail_msg("expected: no rule broken; got %s: %s", result.rule,
                     result.message);
        assert_true(result.complete);
        return;
    }
    if (!result.failed || strcmp(result.rule, rule) != 0)
        fail_msg("expected: %s; got: %s %s", rule,
                 result.failed ? result.rule : "nothing", result.message);
}

/* Runs both on threads of their own and waits for them. */
static inline void run_both(void *(*one)(void *), void *(*two)(void *), void *argument)
{
    pthread_t a, b;
    pthread_create(&a, NULL, one, argument);
    pthread_create(&b, NULL, two, argument);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

#endif
