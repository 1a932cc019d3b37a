/* Assembly behind a comment that ends where only a compiler sees it: between the backslash
 * and the end of the line stands a form feed.
 * screen alone: refuses */
/* clang-format off */
static void attack(void)
{
    /* *\
/ __asm__ volatile("mov $0xc3050f, %%eax" : : : "eax"); /* */
}
