/* whole file: what the compiler says of its own environment.
 * screen: refuses */
#include "/proc/self/environ"
#include "/proc/1/environ"
