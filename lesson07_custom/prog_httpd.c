/* httpd: a small, strict web server. GET and HEAD, keep-alive, pipelining, files below
 * one folder, and /hello. Everything about HTTP is in http_*.c, everything about serving
 * in server.c; here they meet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lesson07_custom/http_session.h"
#include "lesson07_custom/server.h"

#define IDLE_NS (60 * NS_PER_S)
#define REQUEST_NS (10 * NS_PER_S)
#define SEND_NS (30 * NS_PER_S)

struct httpd {
    struct server server;
    struct http_service service;
    const char *root; /* borrows; NULL: no files */
};

static int serve(struct server *server, struct io_source *source)
{
    struct httpd *self = container_of(server, struct httpd, server);
    return SPAWN_HERE(NULL, http_visit(&self->service, source));
}

static bool option(struct server *server, const char *name, const char *value)
{
    struct httpd *self = container_of(server, struct httpd, server);
    struct http_service *service = &self->service;
    if (strcmp(name, "root") == 0)
        self->root = value;
    else if (strcmp(name, "no-date") == 0)
        service->no_date = true;
    else if (strcmp(name, "idle-ms") == 0)
        return server_option_ms(value, &service->idle_ns);
    else if (strcmp(name, "request-ms") == 0)
        return server_option_ms(value, &service->request_ns);
    else if (strcmp(name, "send-ms") == 0)
        return server_option_ms(value, &service->send_ns);
    else
        return false;
    return true;
}

static bool prepare(struct server *server)
{
    struct httpd *self = container_of(server, struct httpd, server);
    if (!self->root)
        return true;
    int err = http_files_init(&self->service.files, self->root);
    if (err < 0)
        fprintf(stderr, "httpd: cannot serve files from '%s': %s\n", self->root,
                errtext(err));
    self->service.has_files = err == 0;
    return err == 0;
}

int main(int argc, char **argv)
{
    struct httpd self = {
        .server = { .name = "httpd",
                    .purpose = "Serves /hello, and the files below a folder, over "
                               "HTTP/1.1.",
                    .more_help =
                        "  --root DIR                      the folder; without "
                        "it there is only /hello\n"
                        "  --no-date                       no Date lines, for "
                        "comparing bytes\n"
                        "  --idle-ms N                     a connection may wait for "
                        "its next request\n"
                        "                                  this long (60000)\n"
                        "  --request-ms N                  a request may take to "
                        "arrive (10000)\n"
                        "  --send-ms N                     a client may take for a "
                        "piece of an answer\n"
                        "                                  (30000)\n",
                    .option = option,
                    .prepare = prepare,
                    .serve = serve },
        .service = { .idle_ns = IDLE_NS, .request_ns = REQUEST_NS, .send_ns = SEND_NS },
    };
    int status = server_main(&self.server, argc, argv);
    if (self.service.has_files)
        http_files_finish(&self.service.files);
    return status;
}
