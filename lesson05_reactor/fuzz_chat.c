/* fuzz: what a member types, in any pieces, says the same to the others.
 *
 * Two of three members of a room type what the input holds; what each of them would be
 * sent lies in its queue, and is compared with a second room that got the same bytes in
 * other pieces. No connection, no task: the queues are never emptied, so that a long
 * input also tells what happens to somebody who does not read. */
#include "common/fuzzing/fuzz.h"

#include <ctype.h>

#include "lesson05_reactor/chat.h"

#define MEMBERS 3

struct party {
    struct chat_room room;
    struct chat_member members[MEMBERS];
};

static void begin(struct party *party)
{
    memset(party, 0, sizeof *party);
    list_init(&party->room.members);
    for (int i = 0; i < MEMBERS; i++) {
        struct chat_member *member = &party->members[i];
        member->room = &party->room;
        member->out = malloc(CHAT_QUEUE);
        CHECK(member->out, "no memory");
        waker_cell_init(&member->has_output);
        waker_cell_init(&member->has_end);
        chat_enter(member);
    }
}

static void end(struct party *party)
{
    for (int i = 0; i < MEMBERS; i++) {
        struct chat_member *member = &party->members[i];
        chat_leave(member);
        waker_cell_finish(&member->has_output);
        waker_cell_finish(&member->has_end);
        free(member->out);
    }
    CHECK(party->room.count == 0 && list_empty(&party->room.members),
          "somebody is left");
}

static void must_be_well(const struct party *party)
{
    for (int i = 0; i < MEMBERS; i++) {
        const struct chat_member *member = &party->members[i];
        size_t length = strnlen(member->name, sizeof member->name);
        CHECK(length > 0 && length <= CHAT_NAME, "a name of %zu bytes", length);
        for (size_t c = 0; c < length; c++)
            CHECK(isalnum((unsigned char)member->name[c]) ||
                      strchr("-_.", member->name[c]),
                  "byte %d in a name", member->name[c]);
        for (int other = 0; other < i; other++)
            CHECK(strcmp(member->name, party->members[other].name) != 0,
                  "two are called %s", member->name);
        CHECK(member->why != CHAT_STAYS || member->in_used < CHAT_LINE,
              "no room for the next byte");
        CHECK(member->out_used <= CHAT_QUEUE && member->out_first == 0, "the queue");
        CHECK(member->out_used > 0 && member->out[member->out_used - 1] == '\n',
              "a line without its end");
        for (unsigned c = 0; c < member->out_used; c++)
            CHECK(((unsigned char)member->out[c] >= ' ' && member->out[c] != 0x7f) ||
                      member->out[c] == '\n',
                  "byte %d is sent to a terminal", member->out[c]);
    }
}

/* As the member's task does it: at most what there is room for at once. */
static void type(struct chat_member *member, const uint8_t *data, size_t size,
                 size_t piece)
{
    while (size > 0 && member->why == CHAT_STAYS) {
        size_t room = CHAT_LINE - member->in_used;
        size_t n = size < piece ? size : piece;
        n = n < room ? n : room;
        memcpy(member->in + member->in_used, data, n);
        chat_received(member, (unsigned)n);
        data += n;
        size -= n;
    }
}

static void say_all(struct party *party, const uint8_t *data, size_t size, size_t piece)
{
    size_t half = fuzz_choose(data, size, size + 1, 0);
    begin(party);
    type(&party->members[0], data, half, piece);
    must_be_well(party);
    type(&party->members[1], data + half, size - half, piece);
    must_be_well(party);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct party whole, cut;
    say_all(&whole, data, size, SIZE_MAX);
    say_all(&cut, data, size, 1 + fuzz_choose(data, size, 5, 1));
    for (int i = 0; i < MEMBERS; i++) {
        const struct chat_member *a = &whole.members[i], *b = &cut.members[i];
        CHECK(a->why == b->why && strcmp(a->name, b->name) == 0, "%s and %s", a->name,
              b->name);
        CHECK(a->out_used == b->out_used && memcmp(a->out, b->out, a->out_used) == 0,
              "%.*s\nin pieces: %.*s", (int)a->out_used, a->out, (int)b->out_used,
              b->out);
    }
    end(&whole);
    end(&cut);
    return 0;
}
