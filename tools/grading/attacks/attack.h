/* attack: stands before each attack of this folder, and that before a starter in which
 * every EXERCISE_TODO(...) is preceded by a call of attack(). See ../test_attacks.
 *
 * @MARK@, @ROOT@, @OUT@ and @PORT@ are replaced: a random word, the course's folder, the
 * folder of the results, a port on which somebody listens outside. What must not be
 * possible says so by got_through. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>

__attribute__((unused)) static void got_through(const char *what)
{
    printf("GOT THROUGH: %s\n", what);
    fflush(stdout);
}
