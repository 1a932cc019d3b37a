/* Talks to somebody outside.
 * screen: refuses */
static void attack(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi("@PORT@")),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        got_through("a port of the machine");
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    memcpy(name.sun_path + 1, "@MARK@", sizeof "@MARK@" - 1);
    if (connect(fd, (struct sockaddr *)&name, sizeof(sa_family_t) + sizeof "@MARK@") ==
        0)
        got_through("a socket without a file");
    to.sin_addr.s_addr = htonl(0x01010101);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1)
        got_through("a packet to the world");
}
