/* fuzz: an address that is read, written and read again is the same address. */
#include "common/fuzzing/fuzz.h"

#include <errno.h>

#include "lesson05_reactor/net.h"

static void must_be_well(const struct net_address *address)
{
    socklen_t size = address->size;
    switch (address->any.sa_family) {
    case AF_INET:
        CHECK(size == sizeof address->v4, "%u bytes of IPv4", (unsigned)size);
        break;
    case AF_INET6:
        CHECK(size == sizeof address->v6, "%u bytes of IPv6", (unsigned)size);
        break;
    case AF_UNIX:
        CHECK(size > sizeof(sa_family_t) && size <= sizeof address->local,
              "%u bytes of a path", (unsigned)size);
        CHECK(address->local.sun_path[0] != '\0', "an address without a name");
        break;
    default:
        CHECK(0, "family %d", address->any.sa_family);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), again[NET_TEXT_MAX], small[8];
    struct net_address address, other;
    int err = net_parse(text, &address);
    CHECK(err == 0 || err == -EINVAL, "error %d", err);
    if (err == 0) {
        must_be_well(&address);
        net_format(&address, again, sizeof again);
        CHECK(net_parse(again, &other) == 0, "%s became %s, which is none", text,
              again);
        CHECK(other.size == address.size && memcmp(&address, &other, other.size) == 0,
              "%s became %s, which is another", text, again);
        net_format(&address, small, sizeof small);
        CHECK(strncmp(small, again, sizeof small - 1) == 0, "cut to %s", small);
        net_set_port(&address, 8080);
        CHECK(net_port(&address) == (address.any.sa_family == AF_UNIX ? 0 : 8080),
              "port %u", net_port(&address));
    }
    free(text);
    return 0;
}
