/* whole file
 * screen: refuses */
#include "@ROOT@/tools/grading/@ID@/hidden.md"
#include "tools/grading/@ID@/explore_hidden.c"
#include "tools/grading/@ID@/correct_b.c"
