/* board, another way: places have a generation. The poller's user pointer is no pointer
 * but a number, place and generation; an event whose generation is another is for
 * somebody who was there before. Places are used again at once. */
#include "lesson04_epoll/exercises/board.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/list.h"
#include "common/container.h"
#include "lesson04_epoll/poller.h"

struct pair {
    struct list link;
    int fds[2];
};

struct place {
    struct pair *pair; /* owns; NULL: empty */
    unsigned generation;
};

struct board {
    struct poller poller;
    struct place places[BOARD_CALLS];
    struct list queue;
    unsigned queued;
};

static void *name_of(unsigned place, unsigned side, unsigned generation)
{
    return (void *)((uintptr_t)generation * 2 * BOARD_CALLS + place * 2 + side);
}

static void drop(struct pair *pair)
{
    close(pair->fds[0]);
    close(pair->fds[1]);
    free(pair);
}

static int seat(struct board *board, unsigned place, struct pair *pair)
{
    struct place *here = &board->places[place];
    here->generation++;
    for (unsigned side = 0; side < 2; side++) {
        int err =
            poller_add(&board->poller, pair->fds[side], POLLER_READABLE | POLLER_RDHUP,
                       name_of(place, side, here->generation));
        if (err) {
            if (side == 1)
                poller_remove(&board->poller, pair->fds[0]);
            return err;
        }
    }
    here->pair = pair;
    return 0;
}

static void seat_the_queue(struct board *board)
{
    for (unsigned place = 0; place < BOARD_CALLS; place++)
        while (!board->places[place].pair && board->queued > 0) {
            struct pair *next =
                container_of(list_pop_front(&board->queue), struct pair, link);
            board->queued--;
            if (seat(board, place, next) != 0)
                drop(next);
        }
}

static void empty(struct board *board, struct place *place)
{
    poller_remove(&board->poller, place->pair->fds[0]);
    poller_remove(&board->poller, place->pair->fds[1]);
    drop(place->pair);
    place->pair = NULL;
}

static void handle(struct board *board, uintptr_t name, uint32_t events)
{
    struct place *place = &board->places[name / 2 % BOARD_CALLS];
    unsigned side = name % 2;
    if (!place->pair || name / (2 * BOARD_CALLS) != place->generation)
        return;
    char message[BOARD_MESSAGE];
    for (;;) {
        ssize_t n = recv(place->pair->fds[side], message, sizeof message, MSG_DONTWAIT);
        if (n <= 0)
            break;
        (void)send(place->pair->fds[1 - side], message, (size_t)n,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (events & ~POLLER_READABLE) {
        empty(board, place);
        seat_the_queue(board);
    }
}

int board_step(struct board *board, int64_t timeout_ns)
{
    struct poller_event events[4];
    int n = poller_wait(&board->poller, events, 4, timeout_ns);
    for (int i = 0; i < n; i++)
        handle(board, (uintptr_t)poller_event_user(&events[i]),
               poller_event_bits(&events[i]));
    return n;
}

int board_connect(struct board *board, int left, int right)
{
    if (board->queued == BOARD_WAITING)
        return -EAGAIN;
    struct pair *pair = malloc(sizeof *pair);
    if (!pair)
        return -ENOMEM;
    pair->fds[0] = left;
    pair->fds[1] = right;
    for (unsigned place = 0; place < BOARD_CALLS; place++)
        if (!board->places[place].pair) {
            int err = seat(board, place, pair);
            if (err)
                free(pair);
            return err;
        }
    list_push_back(&board->queue, &pair->link);
    board->queued++;
    return 0;
}

int board_create(struct board **board)
{
    struct board *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    list_init(&self->queue);
    int err = poller_init(&self->poller);
    if (err)
        free(self);
    else
        *board = self;
    return err;
}

void board_destroy(struct board *board)
{
    if (!board)
        return;
    for (unsigned place = 0; place < BOARD_CALLS; place++)
        if (board->places[place].pair)
            empty(board, &board->places[place]);
    struct list *link;
    while ((link = list_pop_front(&board->queue)) != NULL)
        drop(container_of(link, struct pair, link));
    poller_finish(&board->poller);
    free(board);
}

unsigned board_calls(const struct board *board)
{
    unsigned count = 0;
    for (unsigned place = 0; place < BOARD_CALLS; place++)
        count += board->places[place].pair != NULL;
    return count;
}

unsigned board_waiting(const struct board *board)
{
    return board->queued;
}
