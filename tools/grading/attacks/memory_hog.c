/* Memory without end, by what anybody may call.
 * screen: lets through */
static void attack(void)
{
    for (;;) {
        char *more = malloc(16 << 20);
        if (more)
            memset(more, 1, 16 << 20);
    }
}
