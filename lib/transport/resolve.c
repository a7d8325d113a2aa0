/* Name resolution: see resolve.h. The thread and the loop share one small object that belongs to
 * both and is freed by the last of them; its memory is the C library's, because the thread may
 * outlive the initiator and its platform table. */
#include "transport/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "error.h"

#define HOST_LEN_MAX 255u

/* Shared with the thread. The thread writes the result, then `done_fd`; the loop reads `done_fd`,
 * then the result. */
struct lookup {
    atomic_uint owners;
    int done_fd;
    char host[HOST_LEN_MAX + 1];
    char port[6];
    int gai_error, sys_errno;
    struct addrinfo *found;
};

struct iskra_resolve {
    struct iskra_round *round;
    iskra_resolve_fn *fn;
    void *arg;
    struct iskra_work work; /* a numeric address answers through it */
    struct addrinfo *numeric;
    struct iskra_watch watch;    /* on lookup->done_fd */
    struct lookup *lookup;       /* NULL for a numeric address */
    char host[HOST_LEN_MAX + 1]; /* for messages; escaped when printed */
};

static void lookup_put(struct lookup *l)
{
    if (!l || atomic_fetch_sub(&l->owners, 1) != 1)
        return;
    if (l->found)
        freeaddrinfo(l->found);
    if (l->done_fd >= 0)
        (void)close(l->done_fd);
    free(l);
}

/* An interface without global addresses must not hide the loopback ones, so that "localhost" works
 * offline. */
static int lookup_name(struct lookup *l)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
    };
    int ret = getaddrinfo(l->host, l->port, &hints, &l->found);
    if (ret != EAI_NONAME && ret != EAI_ADDRFAMILY && ret != EAI_NODATA)
        return ret;
    hints.ai_flags = AI_NUMERICSERV;
    return getaddrinfo(l->host, l->port, &hints, &l->found);
}

static void *lookup_thread(void *arg)
{
    struct lookup *l = arg;
    l->gai_error = lookup_name(l);
    l->sys_errno = errno;
    uint64_t one = 1;
    (void)!write(l->done_fd, &one, sizeof(one)); /* the only write ever: it fits */
    lookup_put(l);
    return NULL;
}

/* Signals of the process are none of this thread's business. */
static int start_thread(struct lookup *l)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    pthread_attr_t attr;
    int ret = pthread_attr_init(&attr);
    if (ret != 0)
        return -ret;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    ret = pthread_create(&thread, &attr, lookup_thread, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return -ret;
}

static void resolve_free(struct iskra_resolve *r)
{
    const struct iskra_platform *pf = r->round->pf;
    iskra_work_cancel(&r->work);
    if (r->lookup) {
        r->round->ops->watch_remove(r->round, &r->watch);
        lookup_put(r->lookup);
    }
    if (r->numeric)
        freeaddrinfo(r->numeric);
    pf->free(pf->arg, r);
}

static bool listed(const struct iskra_address *addrs, unsigned cnt, const struct addrinfo *ai)
{
    for (unsigned i = 0; i < cnt; i++) {
        if (addrs[i].len == ai->ai_addrlen && memcmp(&addrs[i].sa, ai->ai_addr, addrs[i].len) == 0)
            return true;
    }
    return false;
}

static unsigned collect(const struct addrinfo *found, struct iskra_address *addrs)
{
    unsigned cnt = 0;
    for (const struct addrinfo *ai = found; ai && cnt < ISKRA_ADDRESS_CNT_MAX; ai = ai->ai_next) {
        bool known = ai->ai_family == AF_INET || ai->ai_family == AF_INET6;
        if (!known || ai->ai_addrlen > sizeof(addrs[cnt].sa) || listed(addrs, cnt, ai))
            continue;
        addrs[cnt].len = ai->ai_addrlen;
        memcpy(&addrs[cnt].sa, ai->ai_addr, ai->ai_addrlen);
        cnt++;
    }
    return cnt;
}

/* The end: the handle goes first, so that fn may start the next one or free what holds it. */
static void answer(struct iskra_resolve *r, const struct addrinfo *found, int gai_error,
                   int sys_errno)
{
    struct iskra_address addrs[ISKRA_ADDRESS_CNT_MAX];
    unsigned cnt = gai_error == 0 ? collect(found, addrs) : 0;
    struct iskra_error error = {0};
    int status = 0;
    if (cnt == 0) {
        char host[80];
        status =
            iskra_fail(&error, ISKRA_E_CONNECT, gai_error == EAI_SYSTEM ? sys_errno : EHOSTUNREACH,
                       "host %s: %s", iskra_escape(host, sizeof(host), r->host, strlen(r->host)),
                       gai_error == EAI_SYSTEM ? strerror(sys_errno)
                       : gai_error != 0        ? gai_strerror(gai_error)
                                               : "no address");
    }
    iskra_resolve_fn *fn = r->fn;
    void *arg = r->arg;
    resolve_free(r);
    fn(arg, status, addrs, cnt, &error);
}

static void lookup_done(struct iskra_watch *watch, uint32_t revents)
{
    struct iskra_resolve *r = iskra_container_of(watch, struct iskra_resolve, watch);
    uint64_t count;
    if (read(r->lookup->done_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
        return; /* not yet */
    answer(r, r->lookup->found, r->lookup->gai_error, r->lookup->sys_errno);
}

static void numeric_done(struct iskra_work *work)
{
    struct iskra_resolve *r = iskra_container_of(work, struct iskra_resolve, work);
    answer(r, r->numeric, 0, 0);
}

static int start_lookup(struct iskra_resolve *r, const char *port)
{
    struct lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    atomic_init(&l->owners, 1);
    memcpy(l->host, r->host, sizeof(l->host));
    (void)snprintf(l->port, sizeof(l->port), "%s", port);
    l->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int ret = l->done_fd < 0 ? -errno : 0;
    if (ret == 0) {
        r->watch = (struct iskra_watch){.fd = l->done_fd, .events = POLLIN, .fn = lookup_done};
        ret = r->round->ops->watch_add(r->round, &r->watch);
    }
    if (ret < 0) {
        lookup_put(l);
        return ret;
    }
    r->lookup = l; /* from here on resolve_free() undoes it */
    (void)atomic_fetch_add(&l->owners, 1);
    ret = start_thread(l);
    if (ret < 0)
        lookup_put(l); /* the thread's share */
    return ret;
}

int iskra_resolve_start(struct iskra_round *round, const char *host, uint16_t port,
                        iskra_resolve_fn *fn, void *arg, struct iskra_resolve **ret_resolve,
                        struct iskra_error *err)
{
    size_t host_len = strlen(host);
    if (host_len == 0 || host_len > HOST_LEN_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "host name of %zu bytes (1 to %u are possible)", host_len, HOST_LEN_MAX);
    const struct iskra_platform *pf = round->pf;
    struct iskra_resolve *r = pf->alloc(pf->arg, sizeof(*r));
    if (!r)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a name look-up");
    *r = (struct iskra_resolve){.round = round, .fn = fn, .arg = arg};
    memcpy(r->host, host, host_len + 1);
    iskra_work_init(&r->work, numeric_done);

    char service[6];
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    int ret = 0;
    if (getaddrinfo(host, service, &hints, &r->numeric) == 0)
        iskra_work_schedule(&round->work, &r->work);
    else
        ret = start_lookup(r, service);
    if (ret < 0) {
        resolve_free(r);
        return iskra_fail(err, ret == -ENOMEM ? ISKRA_E_NOMEM : ISKRA_E_SYSTEM, -ret,
                          "no name look-up: %s", strerror(-ret));
    }
    *ret_resolve = r;
    return 0;
}

void iskra_resolve_cancel(struct iskra_resolve *resolve)
{
    if (resolve)
        resolve_free(resolve);
}

char *iskra_address_format(const struct iskra_address *addr, char *buf, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const void *sa = &addr->sa;
    if (addr->sa.any.sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = sa;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        (void)snprintf(buf, size, "[%s]:%u", text, (unsigned)ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = sa;
        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        (void)snprintf(buf, size, "%s:%u", text, (unsigned)ntohs(in->sin_port));
    }
    return buf;
}
