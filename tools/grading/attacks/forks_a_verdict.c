/* A child that does what its parent has not done.
 * screen: refuses */
#include <cmocka.h>

static void attack(void)
{
    if (fork() == 0)
        return; /* and goes on with the test, in its own process */
    _exit(0);
}
