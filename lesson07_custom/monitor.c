/* monitor: a thread that turns SIGUSR1 into a dump.
 *
 * A signal handler may do almost nothing, and a dump needs locks and printf. So the
 * signal is blocked everywhere, and one thread waits for it with sigwaitinfo; the dump
 * then asks the workers, which answer between two polls. Invariant: the signal was
 * blocked before any of the runtime's threads was made, so none of them takes it. */
#include <errno.h>
#include <signal.h>

#include "lesson07_custom/runtime_inside.h"

static void *monitor_main(void *argument)
{
    struct runtime *runtime = argument;
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    pthread_setname_np(pthread_self(), "monitor");
    for (;;) {
        int signal = sigwaitinfo(&wanted, NULL);
        /* acquire: pairs with the release in monitor_stop */
        if (atomic_load_explicit(&runtime->monitor.ending, memory_order_acquire))
            return NULL;
        if (signal == SIGUSR1)
            runtime_dump(runtime);
    }
}

int monitor_start(struct runtime *runtime)
{
    struct monitor *monitor = &runtime->monitor;
    if (!runtime->config.dump_on_signal)
        return 0;
    int err = -pthread_create(&monitor->thread, NULL, monitor_main, runtime);
    monitor->running = err == 0;
    return err;
}

void monitor_stop(struct runtime *runtime)
{
    struct monitor *monitor = &runtime->monitor;
    if (!monitor->running)
        return;
    monitor->running = false;
    /* release: pairs with the acquire in monitor_main */
    atomic_store_explicit(&monitor->ending, true, memory_order_release);
    pthread_kill(monitor->thread, SIGUSR1);
    pthread_join(monitor->thread, NULL);
}
