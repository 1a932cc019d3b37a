/* whole file: a name that the screen cannot see.
 * screen: refuses */
#define NAME __FILE__
#include NAME
#include NAME
