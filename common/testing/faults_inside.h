/* faults_inside: between the wrappers and what arms them. */
#ifndef COMMON_TESTING_FAULTS_INSIDE_H
#define COMMON_TESTING_FAULTS_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

/* Is this call to fail? 0, or the `err` that was armed for it; errno is set to it. */
int fault_strikes(const char *call);

/* Is any fault armed at all? For wrappers that have to look around first. */
bool fault_is_armed(void);

void fault_count_blocks(long change);
void fault_count_mapped(size_t size, int direction);

/* The wrapper of a call: does `before` and makes the call, or answers `failed`. */
#define WRAP_AFTER(before, type, failed, name, parameters, arguments)                  \
    type __real_##name parameters;                                                     \
    type __wrap_##name parameters;                                                     \
    type __wrap_##name parameters                                                      \
    {                                                                                  \
        int err = fault_strikes(#name);                                                \
        if (err)                                                                       \
            return (failed);                                                           \
        before;                                                                        \
        return __real_##name arguments;                                                \
    }
#define WRAP(type, failed, name, parameters, arguments)                                \
    WRAP_AFTER((void)0, type, failed, name, parameters, arguments)

#endif
