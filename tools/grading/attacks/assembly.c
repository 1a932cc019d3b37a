/* Leaves by a system call of its own.
 * screen: refuses */
static void attack(void)
{
    __asm__ volatile("syscall" : : "a"(231), "D"(0) : "rcx", "r11", "memory");
}
