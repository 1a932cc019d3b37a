/* Both drivers, each alone and shared, run the same list: driver_contract.h. */
#include "lesson05_reactor/driver_contract.h"

static struct driver_subject epoll_alone = {
    .name = "epoll", .open = open_reactor, .close = close_reactor, .lent_size = 64
};

static struct driver_subject epoll_shared = {
    .name = "epoll", .open = open_reactor, .close = close_reactor, .shared = true
};

static struct driver_subject ring_alone = { .name = "io_uring",
                                            .open = open_ring_driver,
                                            .close = close_ring_driver,
                                            .keeps_buffers = true,
                                            .lent_size = 64,
                                            .lent_buffers = 8 };

static struct driver_subject ring_shared = { .name = "io_uring",
                                             .open = open_ring_driver,
                                             .close = close_ring_driver,
                                             .shared = true };

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_CONTRACT(epoll_alone),
        DRIVER_CONTRACT(epoll_shared),
        DRIVER_CONTRACT(ring_alone),
        DRIVER_CONTRACT(ring_shared),
    };
    return cmocka_run_group_tests_name("drivers", tests, NULL, NULL);
}
