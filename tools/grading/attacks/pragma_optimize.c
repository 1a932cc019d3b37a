/* Flags of its own.
 * screen: refuses */
#pragma GCC optimize("O0")

static void attack(void)
{
}
