/* From a host's name to a connected socket: every address in turn, each with its share of the time;
 * and where a redirect may lead. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"

static void try_next(struct iskra_initiator *ini);

static void give_up(struct iskra_initiator *ini)
{
    struct iskra_error err = {0};
    char host[80];
    bool silent = ini->connect_error.sys_errno == ETIMEDOUT;
    (void)iskra_fail(
        &err, silent ? ISKRA_E_TIMEOUT_LOGIN : ISKRA_E_CONNECT, ini->connect_error.sys_errno,
        "no connection to %s port %u, %u %s tried: %.120s",
        iskra_escape(host, sizeof(host), ini->where.host, strlen(ini->where.host)), ini->where.port,
        ini->addr_cnt, ini->addr_cnt == 1 ? "address" : "addresses", ini->connect_error.text);
    iskra_initiator_end(ini, &err);
}

static void address_failed(struct iskra_initiator *ini, int sys_errno)
{
    char text[ISKRA_ADDRESS_TEXT];
    const struct iskra_address *addr = &ini->addrs[ini->addr_index];
    ini->connect_error = (struct iskra_error){0};
    (void)iskra_fail(&ini->connect_error, ISKRA_E_CONNECT, sys_errno, "%s: %s",
                     iskra_address_format(addr, text, sizeof(text)), strerror(sys_errno));
    ini->addr_index++;
}

static void stop_watching(struct iskra_initiator *ini)
{
    if (ini->watching)
        ini->round->ops->watch_remove(ini->round, &ini->watch);
    ini->watching = false;
}

static void close_attempt(struct iskra_initiator *ini)
{
    const struct iskra_platform *pf = ini->round->pf;
    stop_watching(ini);
    if (ini->fd >= 0)
        pf->close(pf->arg, ini->fd, 1);
    ini->fd = -1;
}

static void connected(struct iskra_watch *watch, uint32_t revents)
{
    struct iskra_initiator *ini = iskra_container_of(watch, struct iskra_initiator, watch);
    const struct iskra_platform *pf = ini->round->pf;
    struct iskra_error err = {0};
    int ret = pf->connect_finish(pf->arg, ini->fd);
    if (ret < 0) {
        close_attempt(ini);
        address_failed(ini, -ret);
        try_next(ini);
        return;
    }
    stop_watching(ini);
    (void)iskra_address_format(&ini->addrs[ini->addr_index], ini->portal, sizeof(ini->portal));
    iskra_timer_arm(&ini->timer, ini->deadline_ns);
    if (iskra_initiator_establish(ini, &err) < 0)
        iskra_initiator_end(ini, &err);
}

/* Begins with the address at addr_index; 0 or a negative errno. */
static int try_this(struct iskra_initiator *ini)
{
    const struct iskra_platform *pf = ini->round->pf;
    const struct iskra_address *addr = &ini->addrs[ini->addr_index];
    int fd = pf->connect_start(pf->arg, &addr->sa.any, addr->len);
    if (fd < 0)
        return fd;
    ini->fd = fd;
    ini->watch = (struct iskra_watch){.fd = fd, .events = POLLOUT, .fn = connected};
    int ret = ini->round->ops->watch_add(ini->round, &ini->watch);
    if (ret < 0) {
        close_attempt(ini);
        return ret;
    }
    ini->watching = true;
    return 0;
}

/* A silent address must leave time for those after it. */
static void arm_share(struct iskra_initiator *ini)
{
    uint64_t now_ns = ini->round->now_ns;
    uint64_t left_ns = ini->deadline_ns > now_ns ? ini->deadline_ns - now_ns : 0;
    iskra_timer_arm(&ini->timer, now_ns + left_ns / (ini->addr_cnt - ini->addr_index));
}

static void try_next(struct iskra_initiator *ini)
{
    while (ini->addr_index < ini->addr_cnt) {
        if (iskra_reopen_hold(ini, &ini->addrs[ini->addr_index]))
            return;
        int ret = try_this(ini);
        if (ret == 0) {
            arm_share(ini);
            return;
        }
        address_failed(ini, -ret);
    }
    give_up(ini);
}

/* FNV-1a. Two places of one fingerprint would be taken for a circle, by a target that chose them.
 */
static uint64_t fingerprint(const struct iskra_target_address *where)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = where->host; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return (hash ^ where->port) * UINT64_C(0x100000001b3);
}

static void resolved(void *arg, int status, const struct iskra_address *addrs, unsigned cnt,
                     const struct iskra_error *err)
{
    struct iskra_initiator *ini = arg;
    ini->resolve = NULL;
    if (status < 0) {
        iskra_initiator_end(ini, err);
        return;
    }
    memcpy(ini->addrs, addrs, cnt * sizeof(*addrs));
    ini->addr_cnt = cnt;
    ini->addr_index = 0;
    try_next(ini);
}

int iskra_initiator_connect(struct iskra_initiator *ini, struct iskra_error *err)
{
    ini->visited[ini->redirect_cnt] = fingerprint(&ini->where);
    ini->addr_cnt = ini->addr_index = 0;
    ini->deadline_ns = ini->round->now_ns + ini->cfg.login_timeout_ns;
    int ret = iskra_resolve_start(ini->round, ini->where.host, ini->where.port, resolved, ini,
                                  &ini->resolve, err);
    if (ret == 0)
        iskra_timer_arm(&ini->timer, ini->deadline_ns);
    return ret;
}

/* Connecting and login have all their time from now on. */
void iskra_initiator_connect_go_on(struct iskra_initiator *ini)
{
    ini->deadline_ns = ini->round->now_ns + ini->cfg.login_timeout_ns;
    try_next(ini);
}

void iskra_initiator_connect_timeout(struct iskra_initiator *ini)
{
    if (ini->resolve) {
        struct iskra_error err = {0};
        char host[80];
        iskra_initiator_connect_cancel(ini);
        (void)iskra_fail(
            &err, ISKRA_E_TIMEOUT_LOGIN, ETIMEDOUT, "no answer to the look-up of host %s",
            iskra_escape(host, sizeof(host), ini->where.host, strlen(ini->where.host)));
        iskra_initiator_end(ini, &err);
        return;
    }
    close_attempt(ini);
    address_failed(ini, ETIMEDOUT);
    try_next(ini);
}

void iskra_initiator_connect_cancel(struct iskra_initiator *ini)
{
    iskra_resolve_cancel(ini->resolve);
    ini->resolve = NULL;
    stop_watching(ini);
}

static bool same_place(const struct iskra_target_address *a, const struct iskra_target_address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool visited(const struct iskra_initiator *ini, const struct iskra_target_address *where)
{
    for (unsigned i = 0; i <= ini->redirect_cnt; i++) {
        if (ini->visited[i] == fingerprint(where))
            return true;
    }
    return false;
}

/* Both kinds of move are followed. A permanent one is remembered as well, unless a temporary one
 * led there: whoever moved for a while may send us elsewhere the next time (RFC 7143 11.13.5). */
int iskra_initiator_redirect(struct iskra_initiator *ini, const char *address, bool for_good,
                             struct iskra_error *err)
{
    struct iskra_target_address where;
    char shown[80];
    struct iskra_slice text = {address, strlen(address)};
    (void)iskra_escape(shown, sizeof(shown), text.p, text.len);
    int ret = iskra_target_address_parse(text, &where);
    if (ret < 0)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "redirected to what is no address: %s",
                          shown);
    if (visited(ini, &where))
        return iskra_fail(err, ISKRA_E_LOGIN, ELOOP, "redirected in a circle, back to %s", shown);
    if (ini->redirect_cnt == ISKRA_REDIRECTS_MAX)
        return iskra_fail(err, ISKRA_E_LOGIN, ELOOP, "redirected more than %u times, last to %s",
                          ISKRA_REDIRECTS_MAX, shown);
    if (for_good && (same_place(&ini->where, &ini->home) || same_place(&ini->where, &ini->first)))
        ini->home = where;
    ini->redirect_cnt++;
    ini->where = where;
    return 0;
}
