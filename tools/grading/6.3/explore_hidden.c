/* Hidden cases of exercise 6.3. A thread is held up between its look at the head and
 * its swap while others make 240 or 256 changes, after which the head could be taken
 * for the old one (S1); what goes with a slot from hand to hand; and a take that loses
 * its swap although there are slots for all. */
#include "lesson06_worksteal/exercises/slots_players.h"

/* One preemption is all it takes: the slow taker is held up once. */
static void a_taker_that_sleeps_long(void)
{
    char script[260] = "ttt0";
    struct player mine = { .name = "slow taker", .script = "t" };
    struct player other = { .name = "other", .script = script };
    unsigned changes = explore_choose(2) ? 240 : 256;
    for (unsigned at = 4; at < changes; at += 2) {
        script[at] = 't'; /* kept: slots 1, 2 and then this one, */
        script[at + 1] = '2';
    }
    two_players(4, &mine, &other);
    each_slot_once(&mine, &other);
}

static int written[2];

static void *holder_main(void *unused)
{
    explore_name("other");
    int slot = slots_take(&slots);
    if (slot >= 0) {
        written[slot]++;
        slots_give(&slots, (unsigned)slot);
    }
    return unused;
}

static void from_hand_to_hand(void)
{
    pthread_t other;
    explore_name("main");
    CHECK(slots_init(&slots, 1) == 0, "no slots");
    pthread_create(&other, NULL, holder_main, NULL);
    holder_main(NULL);
    pthread_join(other, NULL);
    EXPLORE_RULE("S1", written[0] >= 1 && written[1] == 0,
                 "one slot, two holders: %d of them had it", written[0]);
}

static void enough_for_both(void)
{
    struct player mine = { .name = "main", .script = "t0t" };
    struct player other = { .name = "other", .script = "t" };
    two_players(2, &mine, &other);
    EXPLORE_RULE("S1", mine.in_vain + other.in_vain == 0,
                 "a take got nothing, although a slot was free all the time");
    each_slot_once(&mine, &other);
}

EXPLORE_MAIN({ .name = "a_taker_that_sleeps_long",
               .scenario = a_taker_that_sleeps_long,
               .rules = "S1",
               .models = 1,
               .bound = 1 },
             { .name = "from_hand_to_hand", .scenario = from_hand_to_hand },
             { .name = "enough_for_both", .scenario = enough_for_both }, )
