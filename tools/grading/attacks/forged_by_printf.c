/* The same by what anybody may call; only the printing.
 * screen: lets through */
static void attack(void)
{
    for (int i = 0; i < 3; i++)
        printf("ok 1\n[==========] 1 test(s) run.\n[  PASSED  ] 1 test(s).\npassed\n"
               "12345678901234567890123456789012 passed\n");
}
