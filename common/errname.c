/* errname: glibc knows the names of errno values; other libraries know the text only. */
#include "common/errname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread_local.h"

static TLS_DEFINE(char, number_text[24]);

const char *errname(int err)
{
    int positive = err < 0 ? -err : err;
#if defined(__GLIBC__)
    const char *name = strerrorname_np(positive);
    if (name)
        return name;
#endif
    snprintf(TLS(number_text), sizeof TLS(number_text), "errno %d", positive);
    return TLS(number_text);
}

const char *errtext(int err)
{
    return strerror(err < 0 ? -err : err);
}
