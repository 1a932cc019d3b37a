/* demo_blocking: the problem, before there are futures.
 *
 * A program that must wait for several things has two ways in plain C: wait for one after
 * the other, or give each wait a thread. This program measures both. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/say.h"
#include "lesson01_futures/by_hand.h"

#define PARKED_THREADS 200

static void wait_ms(unsigned ms)
{
    struct timespec time = { .tv_nsec = (long)(ms * NS_PER_MS) };
    nanosleep(&time, NULL);
}

static void one_after_the_other(void)
{
    say_step("Three waits of 100, 200 and 300 ms, one after the other");
    uint64_t began = clock_now();
    for (unsigned i = 1; i <= 3; i++)
        wait_ms(100 * i);
    uint64_t took = (clock_now() - began) / NS_PER_MS;
    say("all done after %llu ms", (unsigned long long)took);
    say_claim(took >= 600, "the waits were waited for one by one");
    say_look("the sum. While it sleeps in one wait it cannot even begin the next.");
}

static pthread_barrier_t all_here, go_home;

static void *park(void *unused)
{
    pthread_barrier_wait(&all_here);
    pthread_barrier_wait(&go_home);
    return unused;
}

/* Resident memory of this process, in KiB; 0: this system does not tell. */
static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static size_t stack_reserve(void)
{
    pthread_attr_t attributes;
    size_t size = 0;
    if (pthread_attr_init(&attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &size);
        pthread_attr_destroy(&attributes);
    }
    return size;
}

static void a_thread_for_each(void)
{
    static pthread_t threads[PARKED_THREADS];
    say_step("A thread for each wait: what %d of them hold while they wait",
             PARKED_THREADS);
    say_claim(pthread_barrier_init(&all_here, NULL, PARKED_THREADS + 1) == 0 &&
                  pthread_barrier_init(&go_home, NULL, PARKED_THREADS + 1) == 0,
              "a barrier was made");
    long before = resident_kib();
    for (int i = 0; i < PARKED_THREADS; i++) {
        int err = pthread_create(&threads[i], NULL, park, NULL);
        if (err) {
            say("thread %d was refused here: %s", i + 1, strerror(err));
            exit(0); /* this machine's limit, and part of the story */
        }
    }
    pthread_barrier_wait(&all_here);
    long after = resident_kib();
    pthread_barrier_wait(&go_home);
    for (int i = 0; i < PARKED_THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all_here);
    pthread_barrier_destroy(&go_home);
    say("reserved for each stack:  %zu KiB of addresses", stack_reserve() / 1024);
    say("resident for each thread: %ld bytes (without the kernel's part)",
        (after - before) * 1024 / PARKED_THREADS);
    say("the two waits of by_hand.c, as a struct: %zu bytes", sizeof(struct two_waits));
    say_look("a thread keeps a whole stack to remember one line and a few locals.");
}

int main(void)
{
    one_after_the_other();
    a_thread_for_each();
    say_next("the same waits as futures: build/bin/demo_futures");
    return 0;
}
