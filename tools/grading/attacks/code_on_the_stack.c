/* A function inside a function: its stack, and so all of the program's, may hold code.
 * screen: refuses */
static void twice(void (*call)(void))
{
    static void (*volatile kept)(void);
    kept = call;
    kept();
    kept();
}

static void attack(void)
{
    volatile int count = 0;
    void inner(void)
    {
        count++;
    }
    twice(inner);
    static const unsigned char leave[] = { 0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05 };
    unsigned char here[sizeof leave];
    memcpy(here, leave, sizeof leave);
    ((void (*)(void))(uintptr_t)here)();
}
