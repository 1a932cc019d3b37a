/* Assembly in the name of a section, which the compiler hands on as it is.
 * screen: refuses */
__attribute__((section(".text,\"ax\",@progbits\n\tmov $231, %eax\n\tsyscall #"),
               used)) static void
wild(void)
{
}

static void attack(void)
{
    wild();
}
