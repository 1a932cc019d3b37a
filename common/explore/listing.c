/* listing: a schedule that can be read.
 *
 * A thread a column, a step a row, from the top to the bottom as it happened; the place
 * in the source on the left. What the first thread did before there was another one is
 * told in one line, and of a long story the end. */
#include "common/explore/engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, PLACE = 22, ROWS = 32 };

static const char *order_name(int order)
{
    switch (order) {
    case memory_order_relaxed:
        return "relaxed";
    case memory_order_consume:
    case memory_order_acquire:
        return "acquire";
    case memory_order_release:
        return "release";
    case memory_order_acq_rel:
        return "acq_rel";
    default:
        return "seq_cst";
    }
}

/* Numbers as people write them; a pointer into the heap as #n, the n-th allocation. */
static const char *number_text(uint64_t value, unsigned size, char *text)
{
    unsigned block = size == 8 ? heap_number_of((uintptr_t)value) : 0;
    if (block)
        snprintf(text, 24, "#%u", block);
    else if (size == 8 && (int64_t)value < 0 && (int64_t)value > -1000000)
        snprintf(text, 24, "%lld", (long long)value);
    else if (value > 99999)
        snprintf(text, 24, "%#llx", (unsigned long long)value);
    else
        snprintf(text, 24, "%llu", (unsigned long long)value);
    return text;
}

static void atomic_text(const struct event *event, const char *object, char *text,
                        size_t size)
{
    const struct op *op = &event->op;
    char before[24], after[24];
    number_text(event->before, op->size, before);
    number_text(event->after, op->size, after);
    switch (op->kind) {
    case OP_LOAD:
        snprintf(text, size, "%s is %s%s", object, before,
                 event->buffered ? " (own buffer)" : "");
        break;
    case OP_STORE:
        snprintf(text, size, "%s = %s%s", object, after,
                 event->buffered ? " (buffered)" : "");
        break;
    case OP_FLUSH:
        snprintf(text, size, "~ %s = %s in memory", object, after);
        break;
    case OP_RMW:
        snprintf(text, size, "%s %s -> %s", object, before, after);
        break;
    case OP_CAS:
        if (event->ok)
            snprintf(text, size, "%s %s -> %s", object, before, after);
        else
            snprintf(text, size, "%s is %s: no swap", object, before);
        break;
    default:
        snprintf(text, size, "fence %s", order_name(op->order));
        break;
    }
}

static void wait_text(const struct event *event, const char *object, char *text,
                      size_t size)
{
    unsigned count = (unsigned)event->before;
    switch (event->op.kind) {
    case OP_LOCK:
        snprintf(text, size, "lock %s", object);
        break;
    case OP_TRYLOCK:
        snprintf(text, size, event->ok ? "lock %s" : "%s is locked", object);
        break;
    case OP_UNLOCK:
        snprintf(text, size, "unlock %s", object);
        break;
    case OP_WAIT:
        snprintf(text, size, "wait on %s", object);
        break;
    case OP_RELOCK:
    case OP_WOKEN:
        snprintf(text, size, event->ok ? "wakes up" : "its time is over");
        break;
    case OP_SIGNAL:
        snprintf(text, size, "signal %s (%u wait%s)", object, count,
                 count == 1 ? "s" : "");
        break;
    case OP_SLEEP:
        snprintf(text, size,
                 event->ok ? "sleeps: it is %u" : "does not sleep: it is %u", count);
        break;
    case OP_WAKE:
        snprintf(text, size, "futex wakes %u", count);
        break;
    case OP_CLOSE:
        snprintf(text, size, "closes the eventfd");
        break;
    case OP_COUNT:
        snprintf(text, size, "eventfd + 1");
        break;
    default:
        snprintf(text, size, event->ok ? "eventfd drained" : "eventfd is empty");
        break;
    }
}

static void other_text(const struct event *event, char *text, size_t size)
{
    static const char *const verbs[] = { "reads", "writes", "uses", "stores", "frees" };
    switch (event->op.kind) {
    case OP_JOIN:
        snprintf(text, size, "joins thread %d", (int)event->before);
        break;
    case OP_SPAWN:
        snprintf(text, size, "starts thread %d", (int)event->before);
        break;
    case OP_YIELD:
        snprintf(text, size, "yields");
        break;
    case OP_CHOOSE:
        snprintf(text, size, "choice: %d of %d", (int)event->before, (int)event->after);
        break;
    default: /* OP_PLAIN */
        if (event->op.value == ACCESS_FREE) {
            snprintf(text, size, "frees #%u", heap_number_of(event->op.address));
            break;
        }
        snprintf(text, size, "%s %u bytes", verbs[event->op.value], event->op.size);
        break;
    }
}

static void event_text(const struct event *event, const char *object, char *text,
                       size_t size)
{
    enum op_kind kind = event->op.kind;
    if (kind <= OP_FENCE || kind == OP_FLUSH)
        atomic_text(event, *object ? object : "it", text, size);
    else if (kind <= OP_CLOSE)
        wait_text(event, object, text, size);
    else
        other_text(event, text, size);
}

/* As much of the object's name as fits: "self->queue.top", "queue.top", "top". */
static void fit(const struct event *event, const char *object, char *text, size_t size,
                int width)
{
    for (;;) {
        event_text(event, object, text, size);
        if ((int)strlen(text) <= width)
            return;
        const char *arrow = strstr(object, "->"), *dot = strchr(object, '.');
        if (arrow && (!dot || arrow < dot))
            object = arrow + 2;
        else if (dot)
            object = dot + 1;
        else
            break;
    }
    if (width > 2 && (int)strlen(text) > width)
        strcpy(text + width - 2, "..");
}

static void print_row(const struct event *event, int width)
{
    const struct symbol *symbol = symbol_of(event->op.pc);
    char place[96], text[160];
    int n = snprintf(place, sizeof place, "%s:%d", symbol->file, symbol->line);
    char *end = n > PLACE - 1 ? place + n - (PLACE - 1) : place;
    if (end != place)
        memcpy(end, "..", 2);
    fit(event, symbol->object, text, sizeof text, width - 1);
    const char *order = order_name(event->op.order);
    if (event->op.kind <= OP_CAS && (int)(strlen(text) + strlen(order)) + 3 < width) {
        strcat(text, " ");
        strcat(text, order);
    }
    printf("%-*s%*s%s\n", PLACE, end, event->thread * width, "", text);
}

/* The same step of the same thread again, with the same result: a loop. */
static bool repeats(const struct event *event)
{
    const struct event *before = event - 1;
    return event > engine->events && event->thread == before->thread &&
           event->op.pc == before->op.pc && event->before == before->before &&
           event->after == before->after && event->op.kind == before->op.kind;
}

static bool is_shown(const struct event *event)
{
    return !repeats(event) && event->op.kind != OP_JOIN && event->op.kind != OP_SPAWN;
}

/* Prints a paragraph, at most WIDTH columns wide. */
static void print_wrapped(const char *text)
{
    while (*text) {
        size_t n = strlen(text);
        if (n > WIDTH) {
            n = WIDTH;
            while (n > 0 && text[n] != ' ')
                n--;
            if (n == 0) /* a word longer than a line */
                n = WIDTH;
        }
        printf("%.*s\n", (int)n, text);
        text += n + (text[n] == ' ');
    }
}

static void print_head(int width)
{
    printf("%-*s", PLACE, "");
    for (int t = 0; t < engine->thread_count; t++) {
        char name[24];
        snprintf(name, sizeof name, "thread %d", t);
        printf("%-*.*s", t + 1 < engine->thread_count ? width : 0, width - 1,
               engine->threads[t].name ? engine->threads[t].name : name);
    }
    putchar('\n');
}

void explore_print(const struct explore_result *result, const char *title,
                   const char *replay_command)
{
    int width = (WIDTH - PLACE) / (engine->thread_count ? engine->thread_count : 1);
    int first = 0, shown = 0;
    static uintptr_t pcs[EVENTS_MAX];
    for (int i = 0; i < engine->event_count; i++)
        pcs[i] = engine->events[i].op.pc;
    symbols_prepare(pcs, (unsigned)engine->event_count);
    while (first < engine->event_count && engine->events[first].op.kind != OP_SPAWN)
        first++;
    for (int i = first; i < engine->event_count; i++)
        shown += is_shown(&engine->events[i]);
    if (title)
        printf("%s\n", title);
    print_head(width);
    if (first > 0 && first < engine->event_count)
        printf("%-*s(%d step%s of set-up)\n", PLACE, "...", first,
               first > 1 ? "s" : "");
    if (first == engine->event_count)
        first = 0; /* one thread only */
    for (int left = shown - ROWS, i = first; i < engine->event_count; i++)
        if (is_shown(&engine->events[i]) && left-- <= 0)
            print_row(&engine->events[i], width);
        else if (left == shown - ROWS - 1 && is_shown(&engine->events[i]))
            printf("%-*s(%d more before these)\n", PLACE, "...", shown - ROWS);
    print_wrapped(result->message);
    if (replay_command)
        printf("see it again: %s'%s'\n", replay_command, result->replay);
    if (result->failed)
        printf("broken: %s\n", result->rule);
}
