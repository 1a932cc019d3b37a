/* server_options: the command line that httpd and echo share. Ownership: plain values;
 * borrows argv. Threads: main. */
#ifndef LESSON07_SERVER_OPTIONS_H
#define LESSON07_SERVER_OPTIONS_H

#include "lesson07_custom/server.h"

struct server_options {
    struct runtime_config runtime;
    struct net_address address;
    uint64_t grace_ns;
    bool stats;
};

/* -1: go on; else the exit status: 0 after --help, 2 after one sentence on stderr. */
int server_options_parse(struct server_options *options, struct server *server,
                         int argc, char **argv);

#endif
