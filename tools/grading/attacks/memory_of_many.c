/* Memory, a little of it in each of many processes.
 * screen: refuses */
static void attack(void)
{
    for (int i = 0; i < 60; i++)
        if (fork() == 0) {
            memset(malloc(64 << 20), 1, 64 << 20);
            for (;;)
                pause();
        }
    for (;;)
        pause();
}
