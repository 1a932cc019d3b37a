/* Leaves its function by a jump, again and again.
 * screen: refuses */
static jmp_buf place;

static void attack(void)
{
    static volatile int count;
    if (setjmp(place) == 0 || count++ < 10)
        longjmp(place, 1);
}
