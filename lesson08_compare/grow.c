/* grow: doubling, so that n additions copy at most 2 n items in all. */
#include "lesson08_compare/grow.h"

#include <stdlib.h>

void *grow(void *list, int count, int *room, size_t size)
{
    if (count < *room)
        return list;
    int more = *room ? 2 * *room : 256;
    void *larger = realloc(list, (size_t)more * size);
    if (larger)
        *room = more;
    return larger;
}
