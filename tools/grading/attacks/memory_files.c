/* Files in memory that no process maps, and memory that outlives its process.
 * screen: refuses */
#include <sys/ipc.h>
#include <sys/shm.h>

static void attack(void)
{
    static char piece[1 << 20];
    memset(piece, 1, sizeof piece);
    int shared = shmget(IPC_PRIVATE, 1 << 20, IPC_CREAT | 0600);
    if (shared >= 0)
        got_through("shared memory that outlives its process");
    for (int i = 0; i < 200; i++) {
        int fd = memfd_create("@MARK@", 0);
        for (int j = 0; j < 60; j++)
            if (write(fd, piece, sizeof piece) < 0)
                break;
    }
    for (;;)
        pause();
}
