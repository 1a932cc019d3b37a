/* Code that the explorer does not see, and orders that it is only told of.
 * screen alone: refuses */
void __tsan_acquire(void *address);
void __tsan_release(void *address);

__attribute__((no_sanitize("thread"))) static void attack(void)
{
    static int orders;
    __tsan_release(&orders);
    __tsan_acquire(&orders);
}
