/* whole file
 * screen: refuses */
#include "@MODULE@"
