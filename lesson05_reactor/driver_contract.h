/* driver_contract: what every I/O driver must do, as a list of tests.
 *
 *     static struct driver_subject reactor_alone = {
 *         .name = "epoll", .open = open_reactor, .close = close_reactor };
 *     const struct CMUnitTest tests[] = { DRIVER_CONTRACT(reactor_alone) };
 *
 * A case is named "R12_data_and_its_end_together: reactor_alone". The list is long, so it
 * lies in four files: streams, sockets, cancel, and lent buffers with files. */
#ifndef LESSON05_DRIVER_CONTRACT_H
#define LESSON05_DRIVER_CONTRACT_H

#include "lesson05_reactor/driver_cases_cancel.h"
#include "lesson05_reactor/driver_cases_lent.h"
#include "lesson05_reactor/driver_cases_sockets.h"
#include "lesson05_reactor/driver_cases_streams.h"

#define DRIVER_CONTRACT(subject)                                                       \
    DRIVER_STREAMS(subject), DRIVER_SOCKETS(subject), DRIVER_CANCEL(subject),          \
        DRIVER_LENT(subject)

#endif
