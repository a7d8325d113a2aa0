/* The resolver's part, played: names that stand for several addresses, for none, and one that never
 * answers. */
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "transport/resolve.h"

struct iskra_resolve {
    struct iskra_round *round;
    struct iskra_work work;
    iskra_resolve_fn *fn;
    void *arg;
    char host[256];
    uint16_t port;
};

static const struct {
    const char *host;
    const char *addrs[4];
} names[] = {
    {"three.example", {"192.0.2.1", "2001:db8::2", "192.0.2.3"}},
    {"unknown.example", {NULL}},
};

static struct iskra_address address(const char *text, uint16_t port)
{
    struct iskra_address a = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&a.sa, &in, sizeof(in));
        a.len = sizeof(in);
    } else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        memcpy(&a.sa, &in6, sizeof(in6));
        a.len = sizeof(in6);
    }
    return a;
}

static void answer(struct iskra_work *work)
{
    struct iskra_resolve *r = iskra_container_of(work, struct iskra_resolve, work);
    struct iskra_resolve copy = *r;
    struct iskra_address addrs[4];
    struct iskra_error err = {0};
    unsigned cnt = 1;
    free(r);
    addrs[0] = address(copy.host, copy.port);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].host, copy.host) != 0)
            continue;
        for (cnt = 0; names[i].addrs[cnt]; cnt++)
            addrs[cnt] = address(names[i].addrs[cnt], copy.port);
    }
    int status =
        cnt > 0 ? 0
                : iskra_fail(&err, ISKRA_E_CONNECT, EHOSTUNREACH, "host %s: no address", copy.host);
    copy.fn(copy.arg, status, addrs, cnt, &err);
}

int iskra_resolve_start(struct iskra_round *round, const char *host, uint16_t port,
                        iskra_resolve_fn *fn, void *arg, struct iskra_resolve **ret_resolve,
                        struct iskra_error *err)
{
    struct iskra_resolve *r = calloc(1, sizeof(*r));
    if (!r)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory");
    *r = (struct iskra_resolve){.round = round, .fn = fn, .arg = arg, .port = port};
    (void)snprintf(r->host, sizeof(r->host), "%s", host);
    iskra_work_init(&r->work, answer);
    if (strcmp(host, "silent.example") != 0)
        iskra_work_schedule(&round->work, &r->work);
    *ret_resolve = r;
    return 0;
}

void iskra_resolve_cancel(struct iskra_resolve *resolve)
{
    if (!resolve)
        return;
    iskra_work_cancel(&resolve->work);
    free(resolve);
}

char *iskra_address_format(const struct iskra_address *addr, char *buf, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    memcpy(&in, &addr->sa, sizeof(in));
    memcpy(&in6, &addr->sa, sizeof(in6));
    bool v6 = addr->sa.any.sa_family == AF_INET6;
    (void)inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr,
                    text, sizeof(text));
    (void)snprintf(buf, size, v6 ? "[%s]:%u" : "%s:%u", text,
                   (unsigned)ntohs(v6 ? in6.sin6_port : in.sin_port));
    return buf;
}
