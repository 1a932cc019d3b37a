/* Every order of steps of a slab: slots that other threads give back, while the owner
 * takes them into use again, or gives the slab up. */
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/slab.h"

static struct slab *slab;
static void *slots[2];

static void forget_slab(struct slab *ended)
{
    free(ended);
}

static void begin(void)
{
    explore_name("owner");
    slab = malloc(sizeof *slab);
    slab_init(slab, forget_slab);
    slab_enter(slab);
    for (int i = 0; i < 2; i++) {
        slots[i] = slab_alloc(slab, 64);
        ((int *)slots[i])[1] = 7; /* behind the life sign; plain */
    }
}

static void end(void)
{
    slab_leave(NULL);
    slab_close(slab);
}

static void *free_slot(void *slot)
{
    explore_name("other");
    ((int *)slot)[1]++;
    slab_free(slot);
    return NULL;
}

/* Who frees the last slot, or who closes, ends the slab: one of them, once. */
static void free_against_close(void)
{
    pthread_t first, second;
    begin();
    pthread_create(&first, NULL, free_slot, slots[0]);
    pthread_create(&second, NULL, free_slot, slots[1]);
    end();
    pthread_join(first, NULL);
    pthread_join(second, NULL);
}

/* Two slots come back while two are taken: no slot is given out twice. */
static void free_against_alloc(void)
{
    pthread_t first, second;
    void *mine[2];
    begin();
    pthread_create(&first, NULL, free_slot, slots[0]);
    pthread_create(&second, NULL, free_slot, slots[1]);
    for (int i = 0; i < 2; i++) {
        mine[i] = slab_alloc(slab, 64);
        ((int *)mine[i])[1] = 0;
    }
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W5", mine[0] != mine[1], "one slot was given out twice");
    int again = 0;
    for (int i = 0; i < 2; i++)
        again += mine[i] == slots[0] || mine[i] == slots[1];
    void *more = slab_alloc(slab, 64);
    EXPLORE_RULE("lost slot", again == 2 || more == slots[0] || more == slots[1],
                 "a slot came back, and is in no list");
    slab_free(more);
    slab_free(mine[0]);
    slab_free(mine[1]);
    end();
}

EXPLORE_MAIN({ .name = "free_against_close",
               .scenario = free_against_close,
               .rules = "W5",
               .models = 7 },
             { .name = "free_against_alloc",
               .scenario = free_against_alloc,
               .rules = "W5",
               .models = 7 }, )
