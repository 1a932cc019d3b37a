/* A compiler that says very much.
 * screen: lets through */
#define E0 _Static_assert(0, "an error that is repeated");
#define E1 E0 E0 E0 E0 E0 E0 E0 E0 E0 E0
#define E2 E1 E1 E1 E1 E1 E1 E1 E1 E1 E1
#define E3 E2 E2 E2 E2 E2 E2 E2 E2 E2 E2
E3

    static void
    attack(void)
{
}
