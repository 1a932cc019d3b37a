/* Puts files of the machine into the program by the assembler.
 * screen: refuses */
__asm__(".incbin \"@ROOT@/tools/grading/@ID@/hidden.md\"");

static void attack(void)
{
}
