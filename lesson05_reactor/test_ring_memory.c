/* Registered memory changes how the kernel finds it, and no result: inside, half outside,
 * refused, given back. */
#include "lesson05_reactor/driver_testing.h"

#include <sys/mman.h>

#include "lesson05_reactor/ring_source.h"

#define REGION 8192

static struct driver_subject alone = { .name = "io_uring",
                                       .open = open_ring_driver,
                                       .close = close_ring_driver };
static struct driver_subject shared = { .name = "io_uring",
                                        .open = open_ring_driver,
                                        .close = close_ring_driver,
                                        .shared = true };
static struct driver_subject on_epoll = { .name = "epoll",
                                          .open = open_reactor,
                                          .close = close_reactor };

static struct io_source *some_file(void)
{
    int fd = memfd_create("ring_memory", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return attach_fd(fd, IO_TYPE_FILE);
}

/* What would the kernel be asked for? */
static unsigned opcode_for(struct driver_world *w, enum io_kind kind, char *from,
                           unsigned size)
{
    struct io_uring_sqe sqe = { .opcode = IORING_OP_NOP,
                                .addr = (uintptr_t)from,
                                .len = size };
    struct io_op op = { .kind = (uint8_t)kind };
    ring_memory_use(&w->memory.ring, &op, &sqe);
    return sqe.opcode;
}

static void write_and_read_back(struct driver_world *w, struct io_source *file,
                                char *memory)
{
    memcpy(memory, "registered", 10);
    struct io_op op = io_write(file, memory, 10, 5);
    assert_int_equal(drive_op(w, &op), 10);
    memset(memory, 0, 10);
    op = io_read(file, memory, 100, 5);
    assert_int_equal(drive_op(w, &op), 10);
    assert_memory_equal(memory, "registered", 10);
}

static void use_a_region(struct driver_subject *subject)
{
    struct driver_world w = { 0 };
    char *memory = aligned_alloc(4096, 2 * REGION);
    assert_true(open_world(&w, subject));
    struct io_source *file = some_file();
    assert_int_equal(io_register_memory(memory, 0), -EINVAL); /* and takes no room */
    assert_int_equal(io_register_memory(memory, REGION), 0);
    assert_int_equal(io_register_memory(memory + REGION, REGION), -EBUSY);
    write_and_read_back(&w, file, memory);
    write_and_read_back(&w, file, memory + REGION - 50); /* leaves it: plainly */
    write_and_read_back(&w, file, memory + REGION);
    io_unregister_memory();
    io_unregister_memory();
    write_and_read_back(&w, file, memory);
    assert_int_equal(io_register_memory(memory + REGION, REGION),
                     0); /* and so to the end */
    write_and_read_back(&w, file, memory + REGION);
    close_source_in(&w, file);
    close_world(&w);
    free(memory);
}

static void files_are_read_and_written_in_registered_memory(void **state)
{
    (void)state;
    needs_io_uring();
    use_a_region(&alone);
    use_a_region(&shared);
}

static void only_bytes_that_lie_inside_are_found_by_number(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    char *memory = aligned_alloc(4096, REGION);
    assert_true(open_world(&w, &alone));
    assert_int_equal(opcode_for(&w, IO_READ, memory, 1), IORING_OP_NOP);
    assert_int_equal(io_register_memory(memory, REGION), 0);
    assert_int_equal(opcode_for(&w, IO_READ, memory, REGION), IORING_OP_READ_FIXED);
    assert_int_equal(opcode_for(&w, IO_WRITE, memory + REGION - 1, 1),
                     IORING_OP_WRITE_FIXED);
    assert_int_equal(opcode_for(&w, IO_RECV, memory, 1), IORING_OP_NOP);
    assert_int_equal(opcode_for(&w, IO_READ, memory + 1, REGION), IORING_OP_NOP);
    assert_int_equal(opcode_for(&w, IO_READ, memory + REGION, 1), IORING_OP_NOP);
    assert_int_equal(opcode_for(&w, IO_READ, memory - 1, 2), IORING_OP_NOP);
    io_unregister_memory();
    assert_int_equal(opcode_for(&w, IO_READ, memory, 1), IORING_OP_NOP);
    close_world(&w);
    free(memory);
}

/* The kernel cannot pin what is not there; a refusal for RLIMIT_MEMLOCK comes the same way. */
static void refused_memory_is_used_plainly(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    char *memory = mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_true(open_world(&w, &alone));
    struct io_source *file = some_file();
    assert_true(io_register_memory(memory, REGION) < 0);
    assert_int_equal(mprotect(memory, REGION, PROT_READ | PROT_WRITE), 0);
    write_and_read_back(&w, file, memory);
    close_source_in(&w, file);
    close_world(&w);
    munmap(memory, REGION);
}

static void epoll_has_no_use_for_it(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    char memory[16];
    assert_true(open_world(&w, &on_epoll));
    assert_int_equal(io_register_memory(memory, sizeof memory), -EOPNOTSUPP);
    io_unregister_memory();
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_and_written_in_registered_memory),
        cmocka_unit_test(only_bytes_that_lie_inside_are_found_by_number),
        cmocka_unit_test(refused_memory_is_used_plainly),
        cmocka_unit_test(epoll_has_no_use_for_it),
    };
    return cmocka_run_group_tests_name("ring_memory", tests, NULL, NULL);
}
