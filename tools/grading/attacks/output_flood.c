/* Prints without end, by what anybody may call.
 * screen: lets through */
static void attack(void)
{
    static char line[1 << 16];
    memset(line, 'x', sizeof line - 1);
    for (;;)
        fwrite(line, 1, sizeof line, stdout);
}
