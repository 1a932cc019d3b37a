/* The slots, one thread: each once, and none lost. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/exercises/slots.h"

static struct slots slots;

static unsigned take_all(const char *when, unsigned count)
{
    uint64_t seen = 0;
    unsigned taken = 0;
    for (int slot; (slot = slots_take(&slots)) >= 0; taken++) {
        if (slot >= (int)count)
            fail_msg("%s: slot %d of %u was taken", when, slot, count);
        if (seen >> slot & 1)
            fail_msg("%s: slot %d was taken twice", when, slot);
        seen |= UINT64_C(1) << slot;
    }
    return taken;
}

static void one_after_the_other(void **state)
{
    (void)state;
    const unsigned counts[] = { 1, 3, 4, SLOTS_MAX };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        unsigned count = counts[i];
        assert_int_equal(slots_init(&slots, count), 0);
        for (int round = 0; round < 5; round++) {
            unsigned taken = take_all("all are free", count);
            if (taken != count)
                fail_msg("%u slots, round %d: expected to take %u, got %u", count,
                         round, count, taken);
            for (unsigned slot = 0; slot < count; slot++)
                slots_give(&slots, (slot * 7 + 3) % count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
