/* Code that the dynamic linker runs.
 * screen: refuses */
static void nothing(void)
{
}

static void (*resolve(void))(void)
{
    _exit(0);
    return nothing;
}

static void target(void) __attribute__((ifunc("resolve")));

static void attack(void)
{
    target();
}
