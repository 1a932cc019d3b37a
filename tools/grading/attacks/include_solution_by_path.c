/* whole file
 * screen: refuses */
#include "@ROOT@/@MODULE@"
