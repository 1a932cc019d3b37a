/* whole file
 * screen: refuses */
#include "/etc/passwd"
