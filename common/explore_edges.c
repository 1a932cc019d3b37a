/* Where a model is easily a little wrong: orders that were not tried, races that were not
 * seen, bugs that were none. Nearly all of these have once proved the explorer wrong. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/explore_testing.h"

static _Atomic int x, y, flag;
static int data;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int look(_Atomic int *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void set(_Atomic int *at, int value)
{
    atomic_store_explicit(at, value, memory_order_relaxed);
}

static bool was_seen(const struct explore_result *result, uint64_t outcome)
{
    for (unsigned i = 0; i < result->outcome_count; i++)
        if (result->outcomes[i] == outcome)
            return true;
    return false;
}

/* ---- store buffers */

static void *wait_for_answer(void *unused)
{
    set(&x, 1);
    while (look(&x) != 2) /* sees its own store, until the other answers */
        ;
    return unused;
}

static void *answer(void *unused)
{
    while (look(&x) != 1)
        ;
    set(&x, 2);
    return unused;
}

static void question_and_answer(void)
{
    run_both(wait_for_answer, answer, NULL);
}

static void who_spins_on_its_own_store_is_not_in_a_livelock(void **state)
{
    (void)state;
    for (enum explore_model model = EXPLORE_SC; model <= EXPLORE_PSO; model++)
        expect_rule(model, question_and_answer, NULL);
}

static void *add_after_a_fence(void *unused)
{
    set(&x, 1);
    /* lint: allow atomic, because fences are what is tested here */
    atomic_thread_fence(memory_order_release);
    atomic_fetch_add_explicit(&flag, 1, memory_order_relaxed);
    return unused;
}

static void *look_after_the_flag(void *unused)
{
    if (atomic_load_explicit(&flag, memory_order_acquire) == 1)
        EXPLORE_RULE("fence", look(&x) == 1, "the flag came first");
    return unused;
}

static void fence_and_add(void)
{
    run_both(add_after_a_fence, look_after_the_flag, NULL);
}

static void a_read_modify_write_does_not_pass_a_release_fence(void **state)
{
    (void)state;
    expect_rule(EXPLORE_PSO, fence_and_add, NULL);
}

static void *begin_again(void *unused)
{
    set(&x, 1);
    atomic_init(&x, 2);
    atomic_fetch_add_explicit(&y, 1, memory_order_acq_rel);
    EXPLORE_RULE("order", look(&x) == 2, "the older store came last");
    return unused;
}

static void initialised_over_a_store(void)
{
    begin_again(NULL);
}

static void a_plain_write_comes_after_the_own_stores_before_it(void **state)
{
    (void)state;
    expect_rule(EXPLORE_TSO, initialised_over_a_store, NULL);
}

static union {
    _Atomic uint64_t whole;
    _Atomic uint32_t half[2];
} mixed;

static void two_sizes(void)
{
    atomic_store_explicit(&mixed.whole, UINT64_MAX, memory_order_relaxed);
    EXPLORE_RULE("half",
                 atomic_load_explicit(&mixed.half[1], memory_order_relaxed) != 0,
                 "an own store is not seen");
}

static void accesses_of_two_sizes_are_refused(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, two_sizes, "explorer");
    expect_rule(EXPLORE_TSO, two_sizes, "explorer");
}

/* ---- plain memory */

static int word; /* an atomic for one, plain for the other */

static void *store_atomically(void *unused)
{
    /* lint: allow atomic, because a variable that is used in both ways is tested here */
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    return unused;
}

static void *read_plainly(void *unused)
{
    data = word;
    return unused;
}

static void *load_atomically(void *unused)
{
    /* lint: allow atomic, because a variable that is used in both ways is tested here */
    data = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
    return unused;
}

static void *read_word(void *unused)
{
    EXPLORE_RULE("word", word == 0, "it is %d", word);
    return unused;
}

static void half_atomic(void)
{
    run_both(store_atomically, read_plainly, NULL);
}

static void only_read(void)
{
    run_both(load_atomically, read_word, NULL);
}

static int *_Atomic published;

static void *make(void *zeroed)
{
    int *memory = zeroed ? calloc(1, sizeof *memory) : realloc(malloc(4), 8);
    atomic_store_explicit(&published, memory, memory_order_relaxed);
    return NULL;
}

static void *use_what_is_made(void *unused)
{
    const int *made = atomic_load_explicit(&published, memory_order_relaxed);
    if (made && *made == 0)
        set(&x, 1);
    return unused;
}

static void made_by_calloc(void)
{
    run_both(make, use_what_is_made, &data);
    free(atomic_load_explicit(&published, memory_order_relaxed));
}

static void made_by_realloc(void)
{
    run_both(make, use_what_is_made, NULL);
    free(atomic_load_explicit(&published, memory_order_relaxed));
}

static void races_with_one_side_atomic_or_an_allocation(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, half_atomic, "data race");
    expect_rule(EXPLORE_SC, only_read, NULL);
    expect_rule(EXPLORE_SC, made_by_calloc, "data race");
    expect_rule(EXPLORE_SC, made_by_realloc, "data race");
}

static void writes_into_the_last_granule(void)
{
    volatile char *memory = malloc(4);
    memory[5 + data] = 1;
    free((char *)(uintptr_t)memory);
}

static void uses_an_unmapped_end(void)
{
    char *memory =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory[data] = 1;
    munmap(memory, 4096);
    memory[data] = 2;
    munmap(memory + 4096, 4096);
}

static void large_and_zero(void)
{
    enum { LARGE = 20000 };
    char *memory = calloc(1, LARGE);
    if (explore_choose(2) == 0)
        snprintf(memory + LARGE / 2, 8, "%d", 7); /* the library's write is not seen */
    else
        EXPLORE_RULE("zero", memory[LARGE / 2] == 0, "of an earlier schedule");
    free(memory);
}

static void the_edges_of_blocks(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, writes_into_the_last_granule, "out of bounds");
    expect_rule(EXPLORE_SC, uses_an_unmapped_end, "use after free");
    expect_rule(EXPLORE_SC, large_and_zero, NULL);
}

/* ---- who waits, who yields */

static void *yield_then_set(void *unused)
{
    sched_yield();
    set(&x, 1);
    return unused;
}

static void *look_then_set(void *unused)
{
    data = look(&x);
    set(&y, 1);
    return unused;
}

static void yields_once(void)
{
    run_both(yield_then_set, look_then_set, NULL);
    explore_outcome((uint64_t)data);
}

static void who_yields_may_still_be_first(void **state)
{
    (void)state;
    struct explore_result result = search_all(EXPLORE_SC, yields_once);
    assert_true(was_seen(&result, 0));
    assert_true(was_seen(&result, 1));
}

static void *take_and_give(void *unused)
{
    while (atomic_exchange_explicit(&x, 1, memory_order_acquire) != 0)
        sched_yield();
    data++;
    atomic_store_explicit(&x, 0, memory_order_release);
    return unused;
}

static void two_spin_and_one_holds(void)
{
    pthread_t third;
    pthread_create(&third, NULL, take_and_give, NULL);
    run_both(take_and_give, take_and_give, NULL);
    pthread_join(third, NULL);
    EXPLORE_RULE("sum", data == 3, "it is %d", data);
}

static void who_fails_to_take_a_lock_changes_nothing(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, two_spin_and_one_holds, NULL);
}

static void *give_up_after_ten(void *unused)
{
    for (int i = 0; i < 10 && look(&x) == 0; i++)
        sched_yield();
    return unused;
}

static void gives_up_when_alone(void)
{
    give_up_after_ten(NULL);
}

static void who_yields_may_give_up(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, gives_up_when_alone, NULL);
}

static struct timespec in_seconds(int seconds)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += seconds;
    return time;
}

static pthread_mutex_t other_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *wait_a_second(void *unused)
{
    struct timespec until = in_seconds(1);
    pthread_mutex_lock(&lock);
    pthread_cond_timedwait(&changed, &lock, &until);
    data++;
    pthread_mutex_unlock(&lock);
    return unused;
}

static void *hold_for_two_seconds(void *unused)
{
    struct timespec until = in_seconds(2);
    pthread_mutex_lock(&lock);
    data++;
    pthread_mutex_lock(&other_lock);
    pthread_cond_timedwait(&never, &other_lock, &until);
    pthread_mutex_unlock(&other_lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void a_wait_ends_while_the_mutex_is_held(void)
{
    run_both(wait_a_second, hold_for_two_seconds, NULL);
}

static bool told;

static void *tell(void *unused)
{
    pthread_mutex_lock(&lock);
    told = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return unused;
}

/* Its time is over while the other has the mutex: the signal finds nobody. */
static void late_and_told(void)
{
    pthread_t other;
    struct timespec until = in_seconds(1);
    pthread_create(&other, NULL, tell, NULL);
    pthread_mutex_lock(&lock);
    int err = 0;
    while (!told && err == 0)
        err = pthread_cond_timedwait(&changed, &lock, &until);
    explore_outcome((err == ETIMEDOUT ? 2u : 0u) + told);
    pthread_mutex_unlock(&lock);
    pthread_join(other, NULL);
}

static void a_timed_wait_and_its_mutex(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, a_wait_ends_while_the_mutex_is_held, NULL);
    struct explore_options options = { .bound = -1, .timeouts = 1 };
    struct explore_result result = search_with(&options, late_and_told);
    assert_false(result.failed);
    for (uint64_t outcome = 1; outcome <= 3; outcome++)
        assert_true(was_seen(&result, outcome));
}

struct room {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void *wait_in_room(void *argument)
{
    struct room *room = argument;
    pthread_mutex_lock(&room->lock);
    set(&flag, 1);
    pthread_cond_wait(&room->changed, &room->lock);
    pthread_mutex_unlock(&room->lock);
    return NULL;
}

/* Whoever is woken takes the mutex once more: too early to free it. */
static void freed_before_it_is_taken_again(void)
{
    struct room *room = calloc(1, sizeof *room);
    pthread_t other;
    pthread_create(&other, NULL, wait_in_room, room);
    while (look(&flag) == 0)
        sched_yield();
    pthread_mutex_lock(&room->lock);
    pthread_cond_signal(&room->changed);
    pthread_mutex_unlock(&room->lock);
    free(room);
    pthread_join(other, NULL);
}

static void a_mutex_must_outlive_who_waits(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, freed_before_it_is_taken_again, "use after free");
}

/* ---- descriptors and threads */

static int event_fd;

static void *close_after_a_step(void *unused)
{
    set(&x, 1);
    close(event_fd);
    return unused;
}

static void *count_up(void *unused)
{
    uint64_t n = 1;
    CHECK(write(event_fd, &n, sizeof n) == sizeof n, "write");
    return unused;
}

static void closed_too_early(void)
{
    event_fd = eventfd(0, EFD_CLOEXEC);
    run_both(count_up, close_after_a_step, NULL);
}

static void opened_only(void)
{
    event_fd = eventfd(0, EFD_CLOEXEC);
}

static void a_close_is_a_step(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, closed_too_early, "use after close");
    expect_rule(EXPLORE_SC, opened_only, "leak");
}

static void *fail_to_open(void *unused)
{
    errno = ENOENT;
    return unused;
}

static void creates_a_thread(void)
{
    pthread_t other;
    errno = 0;
    pthread_create(&other, NULL, fail_to_open, NULL);
    EXPLORE_RULE("errno", errno == 0, "the other's errno is seen");
    pthread_join(other, NULL);
}

static void joins_nobody(void)
{
    pthread_t other;
    pthread_create(&other, NULL, fail_to_open, NULL);
}

static void detaches(void)
{
    pthread_t other;
    pthread_create(&other, NULL, fail_to_open, NULL);
    pthread_detach(other);
}

static void joins_twice(void)
{
    pthread_t other;
    pthread_create(&other, NULL, fail_to_open, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(other, NULL);
}

static void threads_end_well(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, creates_a_thread, NULL);
    expect_rule(EXPLORE_SC, joins_nobody, "leak");
    expect_rule(EXPLORE_SC, detaches, NULL);
    expect_rule(EXPLORE_SC, joins_twice, "bad join");
}

/* ---- what ends the program */

static int recurse(volatile char *above, int depth)
{
    volatile char room[4096];
    room[depth % 4096] = above[0];
    return depth > 1000000 ? 0 : recurse(room, depth + 1) + room[1];
}

static void overflows_its_stack(void)
{
    volatile char first[1] = { 0 };
    data = recurse(first, 0);
}

static void exits(void)
{
    exit(0);
}

static void sleeps(void)
{
    /* lint: allow sleep, because its refusal is tested here */
    nanosleep(&(struct timespec){ .tv_nsec = 1 }, NULL);
}

static void *destroy_one(void *unused)
{
    pthread_mutex_destroy(&lock);
    return unused;
}

static void *lock_one(void *unused)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void locks_what_was_destroyed(void)
{
    destroy_one(NULL);
    lock_one(NULL);
}

static void locks_and_destroys(void)
{
    pthread_t other;
    pthread_create(&other, NULL, lock_one, NULL);
    pthread_join(other, NULL);
    destroy_one(NULL);
    pthread_mutex_init(&lock, NULL);
    lock_one(NULL);
}

static void a_destroyed_mutex_is_none(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, locks_what_was_destroyed, "bad lock");
    expect_rule(EXPLORE_SC, locks_and_destroys, NULL);
}

static void *end_thread(void *unused)
{
    pthread_exit(unused);
}

static void exits_from_a_thread(void)
{
    run_both(end_thread, end_thread, NULL);
}

static void what_cannot_be_modelled_is_refused(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, overflows_its_stack, "crash");
    expect_rule(EXPLORE_SC, overflows_its_stack, "crash");
    expect_rule(EXPLORE_SC, exits, "explorer");
    expect_rule(EXPLORE_SC, sleeps, "explorer");
    expect_rule(EXPLORE_SC, exits_from_a_thread, "explorer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_spins_on_its_own_store_is_not_in_a_livelock),
        cmocka_unit_test(a_read_modify_write_does_not_pass_a_release_fence),
        cmocka_unit_test(a_plain_write_comes_after_the_own_stores_before_it),
        cmocka_unit_test(accesses_of_two_sizes_are_refused),
        cmocka_unit_test(races_with_one_side_atomic_or_an_allocation),
        cmocka_unit_test(the_edges_of_blocks),
        cmocka_unit_test(who_yields_may_still_be_first),
        cmocka_unit_test(who_fails_to_take_a_lock_changes_nothing),
        cmocka_unit_test(who_yields_may_give_up),
        cmocka_unit_test(a_timed_wait_and_its_mutex),
        cmocka_unit_test(a_mutex_must_outlive_who_waits),
        cmocka_unit_test(a_destroyed_mutex_is_none),
        cmocka_unit_test(a_close_is_a_step),
        cmocka_unit_test(threads_end_well),
        cmocka_unit_test(what_cannot_be_modelled_is_refused),
    };
    return cmocka_run_group_tests_name("explore_edges", tests, NULL, NULL);
}
