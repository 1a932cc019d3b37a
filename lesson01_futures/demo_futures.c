/* demo_futures: lesson 1 as a story in four steps.
 *
 * A future that nobody polls, a state machine by hand, the same function with the macros,
 * and three countdowns at once on one thread - with the price of spinning. */
#include <time.h>

#include "common/clock.h"
#include "common/say.h"
#include "lesson01_futures/by_hand.h"
#include "lesson01_futures/combine.h"
#include "lesson01_futures/spin.h"

static void pause_ms(long ms)
{
    struct timespec time = { .tv_nsec = ms * (long)NS_PER_MS };
    nanosleep(&time, NULL);
}

static enum poll_state poll_once(struct future *future)
{
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

/* ---- 1 */

static void nobody_polls(void)
{
    say_step("A future that nobody polls does nothing");
    struct countdown wait = countdown_ms(10);
    pause_ms(30);
    say("countdown_ms(10) was made 30 ms ago: started: %s, polls: %llu",
        wait.started ? "yes" : "no", (unsigned long long)wait.polls);
    say_claim(!wait.started, "it had not started");
    enum poll_state first = poll_once(&wait.future);
    say("first poll:  %s, started: %s", first ? "READY" : "PENDING",
        wait.started ? "yes" : "no");
    say_claim(first == POLL_PENDING && wait.started, "the first poll started it");
    pause_ms(30);
    enum poll_state second = poll_once(&wait.future);
    say("30 ms later: %s, polls: %llu", second ? "READY" : "PENDING",
        (unsigned long long)wait.polls);
    say_claim(second == POLL_READY, "the second poll found it ready");
    say_look("its ten milliseconds began with the first poll, not with the call.");
}

/* ---- 2 */

static void stepped_by_hand(void)
{
    say_step("A function that stops twice, as a state machine by hand (by_hand.c)");
    struct two_waits waits = two_waits(10, 20);
    enum two_waits_state last = waits.state;
    uint64_t polls = 0;
    say("before the first poll    state = %s", two_waits_state_name(last));
    while (poll_once(&waits.future) == POLL_PENDING) {
        polls++;
        if (waits.state == last)
            continue;
        last = waits.state;
        say("after poll %-11llu   state = %s, returned PENDING",
            (unsigned long long)polls, two_waits_state_name(last));
    }
    say("after poll %-11llu   state = %s, returned READY, waits finished: %d",
        (unsigned long long)polls + 1, two_waits_state_name(waits.state),
        waits.finished);
    say_claim(waits.finished == 2, "both waits finished");
    say_look(
        "between two polls nothing of it is on the stack: the state is all there is.");
}

/* ---- 3 */

struct pauses {
    ASYNC_FRAME;
    unsigned first_ms;
    unsigned second_ms;
    struct countdown wait;
    int finished;
};

static enum poll_state pauses_poll(struct future *future, struct context *context)
{
    struct pauses *self = ASYNC_SELF(pauses, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, countdown_ms(self->first_ms));
    self->finished += self->wait.result == 0;
    AWAIT(self->wait, countdown_ms(self->second_ms));
    self->finished += self->wait.result == 0;
    ASYNC_END;
}

static const struct future_ops pauses_ops = ASYNC_OPS(pauses);

static struct pauses pauses(unsigned first_ms, unsigned second_ms)
{
    return (struct pauses){ .future = { &pauses_ops },
                            .first_ms = first_ms,
                            .second_ms = second_ms };
}

static void with_the_macros(void)
{
    char place[128];
    say_step("The same function with the macros: the line number is the state");
    struct pauses waits = pauses(10, 20);
    int last = -1;
    do {
        if (waits.async.line == last)
            continue;
        last = waits.async.line;
        future_describe(&waits.future, place, sizeof place);
        say("line = %-4d %s", last, place);
    } while (poll_once(&waits.future) == POLL_PENDING);
    say("READY, waits finished: %d", waits.finished);
    say_claim(waits.finished == 2, "both waits finished");
    say("frame by hand: %zu bytes, with the macros: %zu bytes",
        sizeof(struct two_waits), sizeof(struct pauses));
    say_look("open demo_futures.c at those two lines: each is an AWAIT.");
}

/* ---- 4 */

struct three {
    ASYNC_FRAME;
    struct countdown waits[3];
    struct future *children[3];
    struct join all;
};

static enum poll_state three_poll(struct future *future, struct context *context)
{
    struct three *self = ASYNC_SELF(three, future);
    ASYNC_BEGIN(self, context);
    for (unsigned i = 0; i < 3; i++) {
        self->waits[i] = countdown_ms(100 * (i + 1));
        self->children[i] = &self->waits[i].future;
    }
    AWAIT(self->all, join_all(self->children, 3));
    ASYNC_END;
}

static const struct future_ops three_ops = ASYNC_OPS(three);

static void say_one(const struct future *future, unsigned depth, void *unused)
{
    char place[128];
    (void)unused;
    future_describe(future, place, sizeof place);
    say("%*s%s", (int)depth * 2, "", place);
}

static void three_at_once(void)
{
    say_step("Countdowns of 100, 200 and 300 ms at once, on one thread");
    struct three all = { .future = { &three_ops } };
    uint64_t began = clock_now(), cpu = clock_process_cpu();
    enum poll_state first = poll_once(&all.future);
    say_claim(first == POLL_PENDING, "all three were in flight");
    future_walk(&all.future, say_one, NULL);
    uint64_t polls = 1 + spin(&all.future);
    uint64_t took = (clock_now() - began) / NS_PER_MS;
    cpu = (clock_process_cpu() - cpu) / NS_PER_MS;
    say("all done after %llu ms, not 600", (unsigned long long)took);
    say("polls: %llu; four would have been enough", (unsigned long long)polls);
    say("CPU time burnt: %llu ms", (unsigned long long)cpu);
    say_claim(took >= 300, "the longest one was waited for");
    say_claim(polls > 4, "spinning polled more often than needed");
    say_look(
        "the first poll and one after each end. Nobody told the loop when to ask.");
}

int main(void)
{
    nobody_polls();
    stepped_by_hand();
    with_the_macros();
    three_at_once();
    say_next("read lesson01_futures/README.md, do its exercises, then: make lesson2");
    return 0;
}
