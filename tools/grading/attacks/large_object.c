/* An object file that fills the disk.
 * screen: lets through */
static volatile char large[3ull << 30] = { 1 };

static void attack(void)
{
    large[1] = 1;
}
