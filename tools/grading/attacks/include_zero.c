/* whole file: a compiler that never ends.
 * screen: refuses */
#include "/dev/zero"
