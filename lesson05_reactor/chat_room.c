/* chat_room: who is here, what they are called, and who hears what.
 *
 * Problem: what one person says goes to many connections, and any of them may be stuck.
 * Idea: to say something is to copy it into a queue, which never waits; the queue's owner
 * writes when it can. Invariant: a line is in a queue as a whole or not at all, so a
 * member that is dropped has read half a line at most because its connection ended. */
#include "lesson05_reactor/chat.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMBER(node) container_of((node), struct chat_member, link)

void chat_end(struct chat_member *member, enum chat_why why)
{
    if (member->why == CHAT_STAYS)
        member->why = why;
    waker_cell_wake(&member->has_end);
}

static void enqueue(struct chat_member *member, const char *text, unsigned size)
{
    if (member->why != CHAT_STAYS)
        return;
    if (size > CHAT_QUEUE - member->out_used) {
        chat_end(member, CHAT_TOO_SLOW);
        return;
    }
    unsigned at = (member->out_first + member->out_used) % CHAT_QUEUE;
    unsigned before_wrap = CHAT_QUEUE - at < size ? CHAT_QUEUE - at : size;
    memcpy(member->out + at, text, before_wrap);
    memcpy(member->out, text + before_wrap, size - before_wrap);
    member->out_used += size;
    waker_cell_wake(&member->has_output);
}

static unsigned format_line(char *line, unsigned room, const char *format, va_list args)
    PRINTF_LIKE(3, 0);

/* Formats into `line`; a text that does not fit is cut, but keeps its end of line. */
static unsigned format_line(char *line, unsigned room, const char *format, va_list args)
{
    int n = vsnprintf(line, room - 1, format, args);
    unsigned size = n < 0 ? 0 : (unsigned)n < room - 1 ? (unsigned)n : room - 2;
    line[size++] = '\n';
    return size;
}

#define LINE_ROOM (CHAT_NAME + CHAT_LINE + 80)

void chat_say(struct chat_member *member, const char *format, ...)
{
    char line[LINE_ROOM];
    va_list args;
    va_start(args, format);
    unsigned size = format_line(line, sizeof line, format, args);
    va_end(args);
    enqueue(member, line, size);
}

static void say_to_others(struct chat_member *from, const char *format, ...)
    PRINTF_LIKE(2, 3);

static void say_to_others(struct chat_member *from, const char *format, ...)
{
    char line[LINE_ROOM];
    va_list args;
    va_start(args, format);
    unsigned size = format_line(line, sizeof line, format, args);
    va_end(args);
    list_for_each (node, &from->room->members)
        if (MEMBER(node) != from)
            enqueue(MEMBER(node), line, size);
}

/* ---- coming and going */

void chat_enter(struct chat_member *member)
{
    struct chat_room *room = member->room;
    snprintf(member->name, sizeof member->name, "guest-%u", ++room->arrivals);
    chat_say(member, "* welcome, %s; %u here; /nick NAME, /who, /help, /quit",
             member->name, room->count + 1);
    say_to_others(member, "* %s is here", member->name);
    list_push_back(&room->members, &member->link);
    room->count++;
    if (room->stopping)
        chat_end(member, CHAT_LEAVES);
}

void chat_leave(struct chat_member *member)
{
    static const char *const reasons[] = {
        [CHAT_STAYS] = "left",
        [CHAT_LEAVES] = "left",
        [CHAT_TOO_SLOW] = "did not keep up with reading and was dropped",
        [CHAT_LOST] = "lost the connection",
    };
    list_remove(&member->link);
    member->room->count--;
    say_to_others(member, "* %s %s", member->name, reasons[member->why]);
}

/* ---- commands */

static bool name_is_good(const char *name)
{
    size_t length = strlen(name);
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return false;
    return length >= 1 && length <= CHAT_NAME;
}

static bool name_is_taken(const struct chat_member *member, const char *name)
{
    list_for_each (node, &member->room->members)
        if (MEMBER(node) != member && strcmp(MEMBER(node)->name, name) == 0)
            return true;
    return false;
}

static void nick(struct chat_member *member, const char *name)
{
    if (!name_is_good(name)) {
        chat_say(member, "* a name has 1 to %d letters, digits, or - _ .", CHAT_NAME);
    } else if (name_is_taken(member, name)) {
        chat_say(member, "* somebody is called %s already", name);
    } else {
        say_to_others(member, "* %s is now called %s", member->name, name);
        snprintf(member->name, sizeof member->name, "%s", name);
        chat_say(member, "* you are %s", name);
    }
}

/* Names until the line is full, then how many more there are. */
static void who(struct chat_member *member)
{
    char names[CHAT_LINE] = "";
    size_t used = 0;
    unsigned shown = 0;
    list_for_each (node, &member->room->members) {
        const char *name = MEMBER(node)->name;
        if (used + strlen(name) + 2 > sizeof names)
            break;
        used += (size_t)snprintf(names + used, sizeof names - used, " %s", name);
        shown++;
    }
    if (shown == member->room->count)
        chat_say(member, "* %u here:%s", shown, names);
    else
        chat_say(member, "* %u here:%s and %u more", member->room->count, names,
                 member->room->count - shown);
}

static void command(struct chat_member *member, const char *line)
{
    if (strncmp(line, "/nick ", 6) == 0)
        nick(member, line + 6);
    else if (strcmp(line, "/nick") == 0)
        nick(member, "");
    else if (strcmp(line, "/who") == 0)
        who(member);
    else if (strcmp(line, "/help") == 0)
        chat_say(member, "* /nick NAME, /who, /help, /quit; all else is said to all");
    else if (strcmp(line, "/quit") == 0) {
        chat_say(member, "* goodbye, %s", member->name);
        chat_end(member, CHAT_LEAVES);
    } else
        chat_say(member, "* no such command: %s", line);
}

/* ---- lines */

/* One whole line without its end: what would move a terminal's cursor becomes '?'. */
static void handle_line(struct chat_member *member, char *line, unsigned size)
{
    if (size > 0 && line[size - 1] == '\r')
        size--;
    line[size] = '\0';
    for (unsigned i = 0; i < size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    if (size == 0)
        return;
    if (line[0] == '/')
        command(member, line);
    else
        say_to_others(member, "%s: %s", member->name, line);
}

/* A line that fills the whole buffer: its beginning counts, the rest is skipped. */
static void cut_long_line(struct chat_member *member)
{
    if (!member->skipping) {
        chat_say(member, "* that line is too long: only its first %d bytes were taken",
                 CHAT_LINE);
        handle_line(member, member->in, CHAT_LINE);
    }
    member->skipping = true;
    member->in_used = 0;
}

void chat_received(struct chat_member *member, unsigned size)
{
    char *end;
    member->in_used += size;
    while (member->why == CHAT_STAYS &&
           (end = memchr(member->in, '\n', member->in_used)) != NULL) {
        unsigned length = (unsigned)(end - member->in);
        if (!member->skipping)
            handle_line(member, member->in, length);
        member->skipping = false;
        member->in_used -= length + 1;
        memmove(member->in, end + 1, member->in_used);
    }
    if (member->why == CHAT_STAYS && member->in_used == CHAT_LINE)
        cut_long_line(member);
}
