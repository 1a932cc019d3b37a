/* errname: glibc knows the names of errno values; other libraries know the text only. */
#include "common/errname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread_local.h"

struct number_text {
    char text[24];
};

static TLS_DEFINE(struct number_text, number_here);

const char *errname(int err)
{
    int positive = err < 0 ? -err : err;
#if defined(__GLIBC__)
    const char *name = strerrorname_np(positive);
    if (name)
        return name;
#endif
    struct number_text *number = &TLS(number_here);
    snprintf(number->text, sizeof number->text, "errno %d", positive);
    return number->text;
}

const char *errtext(int err)
{
    return strerror(err < 0 ? -err : err);
}
