/* The slab: sizes, reuse, other threads' frees, an end that waits for the last slot, and
 * no memory. */
#include "lesson02_wakers/waker_probe.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/slab.h"

#define MANY 3000

static int ended; /* slabs whose on_end was called */

static void note_end(struct slab *slab)
{
    (void)slab;
    ended++;
}

static void open_slab(struct slab *slab)
{
    ended = 0;
    assert_int_equal(slab_init(slab, note_end), 0);
}

/* Every byte of it, then the life sign. */
static void *fill(struct slab *slab, size_t size)
{
    unsigned char *slot = slab_alloc(slab, size);
    if (!slot)
        return NULL;
    memset(slot + sizeof(uint32_t), 0xab, size - sizeof(uint32_t));
    /* release: pairs with the acquire in slab_each */
    atomic_store_explicit((_Atomic uint32_t *)(void *)slot, 1, memory_order_release);
    return slot;
}

static void every_size_is_aligned_and_its_own(void **state)
{
    (void)state;
    struct slab slab;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    assert_true(slab_is_mine(&slab));
    static unsigned char *slots[600];
    size_t size = 4;
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++, size += 1 + size / 40) {
        slots[i] = fill(&slab, size);
        assert_non_null(slots[i]);
        assert_int_equal((uintptr_t)slots[i] % 16, 0);
        assert_ptr_equal(slab_of(slots[i]), &slab);
        slots[i][size - 1] = (unsigned char)i;
        if (size > 3 * 1024 * 1024)
            size = 4;
    }
    size = 4;
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++, size += 1 + size / 40) {
        assert_int_equal(slots[i][size - 1], (unsigned char)i);
        slab_free(slots[i]);
        if (size > 3 * 1024 * 1024)
            size = 4;
    }
    slab_leave(before);
    assert_int_equal(ended, 0);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

static void a_freed_slot_is_used_again(void **state)
{
    (void)state;
    struct slab slab;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    void *first = fill(&slab, 64);
    slab_free(first);
    void *second = fill(&slab, 60);
    assert_ptr_equal(first, second);
    slab_free(second);
    slab_leave(before);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

static void count_slot(void *slot, void *argument)
{
    (void)slot;
    ++*(unsigned *)argument;
}

static void each_visits_what_lives(void **state)
{
    (void)state;
    struct slab slab;
    static void *slots[MANY];
    unsigned seen = 0;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    for (size_t i = 0; i < MANY; i++)
        slots[i] = fill(&slab, i % 3 ? 48 : 1000);
    void *large = fill(&slab, 100000);
    slab_each(&slab, count_slot, &seen);
    assert_int_equal(seen, MANY + 1);
    for (size_t i = 0; i < MANY; i += 2)
        slab_free(slots[i]);
    slab_free(large);
    seen = 0;
    slab_each(&slab, count_slot, &seen);
    assert_int_equal(seen, MANY / 2);
    for (size_t i = 1; i < MANY; i += 2)
        slab_free(slots[i]);
    slab_leave(before);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

/* ---- other threads */

struct shuttle {
    struct slab *slab;
    void *slots[MANY];
    _Atomic long filled;
    size_t size;
};

static void *free_all(void *argument)
{
    struct shuttle *shuttle = argument;
    for (long i = 0; i < MANY; i++) {
        while (probe_read(&shuttle->filled) <= i)
            sched_yield();
        slab_free(shuttle->slots[i]);
    }
    return NULL;
}

static void *fill_all(void *argument)
{
    struct shuttle *shuttle = argument;
    for (long i = 0; i < MANY; i++) {
        shuttle->slots[i] = fill(shuttle->slab, shuttle->size);
        probe_count(&shuttle->filled, 1);
    }
    return NULL;
}

static void what_others_free_comes_back_to_the_owner(void **state)
{
    (void)state;
    static struct shuttle shuttle;
    struct slab slab;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    for (int round = 0; round < 3; round++) {
        shuttle = (struct shuttle){ .slab = &slab, .size = round == 2 ? 9000 : 64 };
        pthread_t thread = start_thread(free_all, &shuttle);
        fill_all(&shuttle);
        pthread_join(thread, NULL);
    }
    unsigned seen = 0;
    slab_each(&slab, count_slot, &seen);
    assert_int_equal(seen, 0);
    slab_leave(before);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

static void others_allocate_and_the_owner_frees(void **state)
{
    (void)state;
    static struct shuttle shuttle;
    struct slab slab;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    shuttle = (struct shuttle){ .slab = &slab, .size = 64 };
    pthread_t thread = start_thread(fill_all, &shuttle);
    free_all(&shuttle);
    pthread_join(thread, NULL);
    slab_leave(before);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

/* A dump while other threads spawn: TSan looks at who reads what. */
static void each_runs_beside_other_threads(void **state)
{
    (void)state;
    static struct shuttle shuttle;
    struct slab slab;
    open_slab(&slab);
    struct slab *before = slab_enter(&slab);
    for (int round = 0; round < 2; round++) {
        shuttle = (struct shuttle){ .slab = &slab, .size = round ? 9000 : 64 };
        pthread_t thread = start_thread(fill_all, &shuttle);
        unsigned seen = 0;
        while (probe_read(&shuttle.filled) < MANY) {
            slab_each(&slab, count_slot, &seen);
            testing_pause(); /* a mutex is not fair: let the other one have it */
        }
        pthread_join(thread, NULL);
        seen = 0;
        slab_each(&slab, count_slot, &seen);
        assert_int_equal(seen, MANY);
        free_all(&shuttle);
    }
    slab_leave(before);
    slab_close(&slab);
    assert_int_equal(ended, 1);
}

static void W5_the_slab_ends_with_its_last_slot(void **state)
{
    (void)state;
    static struct shuttle shuttle;
    struct slab *slab = malloc(sizeof *slab); /* so that a late use is seen */
    assert_non_null(slab);
    open_slab(slab);
    shuttle = (struct shuttle){ .slab = slab, .size = 64 };
    fill_all(&shuttle); /* by a thread that is not the owner */
    slab_close(slab);
    assert_int_equal(ended, 0);
    free_all(&shuttle);
    assert_int_equal(ended, 1);
    free(slab);
}

static void close_mine(void *argument)
{
    struct slab slab;
    (void)argument;
    slab_init(&slab, NULL);
    slab_enter(&slab);
    slab_close(&slab);
}

static void closing_a_slab_that_is_entered_is_a_bug(void **state)
{
    (void)state;
    assert_dies(close_mine, NULL, "still owns the slab");
}

static void no_memory_is_a_null_and_no_harm(void **state)
{
    (void)state;
    const size_t sizes[] = { 64, 9000 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (int mine = 0; mine < 2; mine++) {
            struct slab slab;
            open_slab(&slab);
            struct slab *before = mine ? slab_enter(&slab) : NULL;
            fault_arm("mmap", 1, ENOMEM);
            void *refused = slab_alloc(&slab, sizes[i]);
            assert_int_equal(fault_count(), 1);
            fault_disarm();
            assert_null(refused);
            void *slot = fill(&slab, sizes[i]);
            assert_non_null(slot);
            slab_free(slot);
            if (mine)
                slab_leave(before);
            slab_close(&slab);
            assert_int_equal(ended, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_aligned_and_its_own),
        cmocka_unit_test(a_freed_slot_is_used_again),
        cmocka_unit_test(each_visits_what_lives),
        cmocka_unit_test(closing_a_slab_that_is_entered_is_a_bug),
        cmocka_unit_test(no_memory_is_a_null_and_no_harm),
        cmocka_unit_test(what_others_free_comes_back_to_the_owner),
        cmocka_unit_test(others_allocate_and_the_owner_frees),
        cmocka_unit_test(each_runs_beside_other_threads),
        cmocka_unit_test(W5_the_slab_ends_with_its_last_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
