/* Assembly in the name of a function, by a macro of the C library's.
 * screen alone: refuses */
#include <sys/cdefs.h>

int __REDIRECT(leave, (int), _exit);

static void attack(void)
{
    leave(0);
}
