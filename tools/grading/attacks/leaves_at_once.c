/* Ends the program, with status 0, before its test is over.
 * screen: refuses */
static void attack(void)
{
    exit(0);
}
