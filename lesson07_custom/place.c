/* place: the thread-local answer to "where am I?". */
#include <errno.h>

#include "lesson07_custom/runtime_inside.h"

static TLS_DEFINE(struct place *, place_here);

void place_enter(struct place *place)
{
    place->services.stats = &place->stats;
    place->before = io_services_enter(&place->services);
    CHECK(!TLS(place_here), "a runtime was entered on a thread of another runtime");
    TLS(place_here) = place;
}

void place_leave(struct place *place)
{
    TLS(place_here) = NULL;
    io_services_leave(place->before);
}

int runtime_spawn_here(struct future *future, struct task_handle *handle)
{
    struct place *place = TLS(place_here);
    CHECK(place, "SPAWN_HERE outside a runtime's task");
    struct scheduler *scheduler = place->scheduler;
    if (!scheduler)
        scheduler = place->runtime->mode->lane(place->runtime, place->lane);
    return task_spawn(scheduler, future, place->flags, handle);
}

struct runtime *runtime_here(void)
{
    return TLS(place_here) ? TLS(place_here)->runtime : NULL;
}

unsigned runtime_lane_here(void)
{
    return TLS(place_here) ? TLS(place_here)->lane : 0;
}

struct offload *runtime_offload_here(void)
{
    return TLS(place_here) ? TLS(place_here)->services.offload : NULL;
}

void runtime_count(void)
{
    if (TLS(place_here))
        io_count(&TLS(place_here)->counted);
}
