/* Flags of its own.
 * screen alone: refuses */
#pragma GCC optimize("O0")

static void attack(void)
{
}
