/* Connections of a simulated network: see network.h. */
#include "sim/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static const char *const phase_names[] = {"connecting", "open", "refused", "closed"};

static void conn_enter(struct sim_conn *conn, enum sim_conn_phase phase)
{
    conn->phase = phase;
    sim_note(&conn->sim->record, phase_names[phase], conn->number, conn->portal, 0);
}

void sim_network_init(struct sim *sim)
{
    iskra_list_init(&sim->network.conns);
}

static void conn_free(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    sim_peer_lost(conn);
    sim_pipe_done(&conn->up);
    sim_pipe_done(&conn->down);
    sim_clock_clear(&sim->clock, &conn->connect_event);
    sim_clock_clear(&sim->clock, &conn->reset_event);
    if (conn->fd >= 0)
        sim->network.by_fd[conn->fd] = NULL;
    iskra_list_remove(&conn->link);
    free(conn);
}

void sim_network_done(struct sim *sim)
{
    for (struct iskra_list *l = sim->network.conns.next; l && l != &sim->network.conns;) {
        struct sim_conn *conn = iskra_container_of(l, struct sim_conn, link);
        l = l->next;
        conn_free(conn);
    }
}

/* Nobody is at either end any more. */
static void conn_put(struct sim_conn *conn)
{
    if (conn->phase == SIM_CONN_CLOSED && conn->peer == NULL)
        conn_free(conn);
}

/* ---- what the initiator's end sees of the wire ---- */

static struct sim_conn *conn_of_up(struct sim_pdu *pdu)
{
    return iskra_container_of(pdu, struct sim_conn, up_pdu);
}

static struct sim_conn *conn_of_down(struct sim_pdu *pdu)
{
    return iskra_container_of(pdu, struct sim_conn, down_pdu);
}

/* A bit flips where a digest will tell. */
static void spoil(struct sim_conn *conn, const struct sim_pdu *pdu, enum sim_pdu_part part,
                  size_t at, size_t len)
{
    struct sim *sim = conn->sim;
    bool header = part == SIM_PDU_HEADER || part == SIM_PDU_HEADER_DIGEST;
    bool guarded = header ? pdu->header_digest : pdu->data_digest;
    if (!guarded || !conn->spoil || !sim_fault_happens(sim, SIM_FAULT_CORRUPT, sim->plan.corrupt))
        return;
    uint64_t bit = sim_random_below(&sim->net_random, 8 * len);
    conn->spoil[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void up_header(struct sim_pdu *pdu)
{
    struct sim_conn *conn = conn_of_up(pdu);
    sim_note(&conn->sim->record, "> pdu", pdu->bhs[0], iskra_bhs_itt(pdu->bhs),
             iskra_get_be32(pdu->bhs + 24));
    sim_wire_sent(&conn->wire, pdu->bhs);
}

static void up_piece(struct sim_pdu *pdu, enum sim_pdu_part part, const uint8_t *bytes, size_t at,
                     size_t len)
{
    spoil(conn_of_up(pdu), pdu, part, at, len);
}

static void up_end(struct sim_pdu *pdu) {}

static void down_header(struct sim_pdu *pdu)
{
    struct sim_conn *conn = conn_of_down(pdu);
    sim_note(&conn->sim->record, "< pdu", pdu->bhs[0], iskra_bhs_itt(pdu->bhs),
             iskra_get_be32(pdu->bhs + 32));
    sim_wire_received(&conn->wire, pdu->bhs);
}

static void down_piece(struct sim_pdu *pdu, enum sim_pdu_part part, const uint8_t *bytes, size_t at,
                       size_t len)
{
    struct sim_conn *conn = conn_of_down(pdu);
    if (part == SIM_PDU_DATA)
        sim_wire_data(&conn->wire, pdu->bhs, bytes, len);
    spoil(conn, pdu, part, at, len);
}

static void down_end(struct sim_pdu *pdu)
{
    struct sim_conn *conn = conn_of_down(pdu);
    sim_wire_received_all(&conn->wire, &conn->up_pdu, &conn->down_pdu);
}

static const struct sim_pdu_ops up_ops = {up_header, up_piece, up_end};
static const struct sim_pdu_ops down_ops = {down_header, down_piece, down_end};

/* ---- the initiator's end ---- */

static void up_arrived(void *arg)
{
    struct sim_conn *conn = arg;
    if (conn->peer)
        sim_peer_rouse(conn);
}

static void down_arrived(void *arg)
{
    struct sim_conn *conn = arg;
    conn->readable = true;
}

static void connect_end(void *arg)
{
    struct sim_conn *conn = arg;
    struct sim *sim = conn->sim;
    if (sim->network.down) { /* the SYN is sent again later */
        sim_clock_set(&sim->clock, &conn->connect_event, sim->clock.now_ns + SIM_S);
        return;
    }
    conn->writable = true;
    if (sim_peer_accept(conn)) {
        conn_enter(conn, SIM_CONN_OPEN);
        return;
    }
    conn->error = ECONNREFUSED;
    conn_enter(conn, SIM_CONN_REFUSED);
}

static void reset_end(void *arg)
{
    struct sim_conn *conn = arg;
    conn->error = ECONNRESET;
    conn->readable = conn->writable = true;
}

static void pipe_configure(const struct sim *sim, struct sim_pipe *pipe)
{
    pipe->latency_min_ns = sim->plan.latency_min_ns;
    pipe->latency_max_ns = sim->plan.latency_max_ns;
    pipe->room = sim->plan.pipe_len;
}

int sim_conn_start(struct sim *sim, unsigned portal)
{
    int fd = 0;
    while (fd < (int)SIM_CONN_CNT && sim->network.by_fd[fd])
        fd++;
    struct sim_conn *conn = fd < (int)SIM_CONN_CNT ? malloc(sizeof(*conn)) : NULL;
    if (!conn)
        return -EMFILE;
    memset(conn, 0, offsetof(struct sim_conn, up));
    conn->sim = sim;
    conn->fd = fd;
    conn->portal = portal;
    conn->number = ++sim->network.conn_cnt;
    conn->peer = NULL;
    conn->spoil = NULL;
    sim_pipe_init(&conn->up, &sim->clock, &sim->net_random, up_arrived, conn);
    sim_pipe_init(&conn->down, &sim->clock, &sim->net_random, down_arrived, conn);
    pipe_configure(sim, &conn->up);
    pipe_configure(sim, &conn->down);
    sim_pdu_init(&conn->up_pdu, &up_ops);
    sim_pdu_init(&conn->down_pdu, &down_ops);
    sim_wire_init(&conn->wire, sim, conn->number);
    conn->connect_event = (struct sim_event){.fn = connect_end, .arg = conn};
    conn->reset_event = (struct sim_event){.fn = reset_end, .arg = conn};
    iskra_list_push_back(&sim->network.conns, &conn->link);
    sim->network.by_fd[fd] = conn;
    conn_enter(conn, SIM_CONN_CONNECTING);
    sim_clock_set(&sim->clock, &conn->connect_event,
                  sim->clock.now_ns +
                      sim_random_range(&sim->net_random, SIM_US, sim->plan.connect_ns));
    return fd;
}

struct sim_conn *sim_conn_find(struct sim *sim, int fd)
{
    return fd >= 0 && fd < (int)SIM_CONN_CNT ? sim->network.by_fd[fd] : NULL;
}

int sim_conn_result(const struct sim_conn *conn)
{
    return conn->phase == SIM_CONN_CONNECTING ? -EINPROGRESS : -conn->error;
}

/* How long what was sent may still be on its way after a close. A login to the same portal group
 * ends the old connection, so that nothing depends on it; one to another group does not, and has
 * only Time2Wait for protection (decision 26), a little of which is the target's to do what has
 * come. */
static uint64_t lifetime_ns(const struct sim *sim)
{
    return sim->plan.group_cnt > 1 ? 1900 * SIM_MS : SIM_NEVER / 2;
}

/* What was sent goes on to the other end, unless the close was abortive and it is lost; the end
 * itself comes after it, sometimes very late. */
void sim_conn_close(struct sim_conn *conn, bool abortive)
{
    struct sim *sim = conn->sim;
    uint64_t late_ns = 0;
    conn_enter(conn, SIM_CONN_CLOSED);
    sim_wire_done(&conn->wire);
    sim_clock_clear(&sim->clock, &conn->connect_event);
    sim_clock_clear(&sim->clock, &conn->reset_event);
    sim->network.by_fd[conn->fd] = NULL;
    conn->fd = -1;
    uint64_t most_ns = lifetime_ns(sim);
    if (conn->up.stalled_ns > sim->clock.now_ns + most_ns)
        sim_pipe_stall(&conn->up, sim->clock.now_ns + most_ns);
    if (sim_fault_happens(sim, SIM_FAULT_LATE, sim->plan.late)) {
        uint64_t limit_ns = sim->plan.late_ns < most_ns ? sim->plan.late_ns : most_ns;
        late_ns = sim_random_below(&sim->net_random, limit_ns);
        sim_pipe_stall(&conn->up, sim->clock.now_ns + late_ns);
    } else if (abortive && sim_random_chance(&sim->net_random, 5000)) {
        sim_pipe_lose(&conn->up);
    }
    sim_pipe_end(&conn->up, late_ns);
    conn_put(conn);
}

/* How many of these bytes are moved at once. */
static size_t cut(struct sim *sim, size_t len)
{
    if (len > 1 && sim_fault_happens(sim, SIM_FAULT_PARTIAL, sim->plan.partial))
        return (size_t)sim_random_range(&sim->net_random, 1, len < 4096 ? len - 1 : 4096);
    return len;
}

static size_t total(const struct iovec *iov, int iov_cnt)
{
    size_t len = 0;
    for (int i = 0; i < iov_cnt; i++)
        len += iov[i].iov_len;
    return len;
}

ssize_t sim_conn_read(struct sim_conn *conn, const struct iovec *iov, int iov_cnt)
{
    size_t len = sim_pipe_readable(&conn->down), room = total(iov, iov_cnt);
    if (conn->error)
        return -conn->error;
    if (len == 0)
        return sim_pipe_at_end(&conn->down) ? 0 : -EAGAIN;
    len = cut(conn->sim, len < room ? len : room);
    size_t left = len;
    for (int i = 0; i < iov_cnt && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        sim_pipe_read(&conn->down, iov[i].iov_base, n);
        /* What is parsed is what was sent: the parser has passed a byte before it is spoilt. */
        conn->spoil = iov[i].iov_base;
        sim_pdu_feed(&conn->down_pdu, iov[i].iov_base, n);
        conn->spoil = NULL;
        left -= n;
    }
    if (conn->peer)
        sim_peer_rouse(conn); /* there is room again */
    return (ssize_t)len;
}

static void write_some(struct sim_conn *conn, const uint8_t *bytes, size_t len)
{
    uint8_t copy[4096];
    for (size_t n; len > 0; bytes += n, len -= n) {
        n = len < sizeof(copy) ? len : sizeof(copy);
        memcpy(copy, bytes, n);
        conn->spoil = copy;
        sim_pdu_feed(&conn->up_pdu, bytes, n);
        conn->spoil = NULL;
        sim_pipe_write(&conn->up, copy, n);
    }
}

ssize_t sim_conn_write(struct sim_conn *conn, const struct iovec *iov, int iov_cnt)
{
    struct sim *sim = conn->sim;
    size_t room = sim_pipe_writable(&conn->up), len = total(iov, iov_cnt);
    if (conn->error)
        return -conn->error;
    if (conn->down.end_arrived && !conn->peer)
        return -EPIPE;
    if (room == 0)
        return -EAGAIN;
    len = cut(sim, len < room ? len : room);
    size_t left = len;
    if (sim_fault_happens(sim, SIM_FAULT_DELAY, sim->plan.delay))
        sim_conn_stall(conn, true, sim_random_chance(&sim->net_random, 3000),
                       sim->clock.now_ns + sim_random_below(&sim->net_random, sim->plan.delay_ns));
    for (int i = 0; i < iov_cnt && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        write_some(conn, iov[i].iov_base, n);
        left -= n;
    }
    return (ssize_t)len;
}

/* ---- the other end ---- */

void sim_conn_peer_gone(struct sim_conn *conn, bool abortive)
{
    struct sim *sim = conn->sim;
    uint64_t latency_ns =
        sim_random_range(&sim->net_random, sim->plan.latency_min_ns, sim->plan.latency_max_ns);
    conn->peer = NULL;
    if (conn->phase != SIM_CONN_CLOSED) {
        if (abortive)
            sim_clock_set(&sim->clock, &conn->reset_event, sim->clock.now_ns + latency_ns);
        else
            sim_pipe_end(&conn->down, latency_ns);
        conn->up.room = SIM_PIPE_LEN; /* nobody reads it any more; the end will be told */
        conn->up.read = conn->up.wrote;
        conn->writable = true;
    }
    conn_put(conn);
}

/* ---- what goes wrong ---- */

void sim_conn_reset(struct sim_conn *conn)
{
    sim_peer_lost(conn);
    if (conn->phase == SIM_CONN_CONNECTING) {
        sim_clock_clear(&conn->sim->clock, &conn->connect_event);
        conn->phase = SIM_CONN_REFUSED;
    }
    conn->peer = NULL;
    reset_end(conn);
    conn_put(conn);
}

void sim_conn_half_close(struct sim_conn *conn)
{
    sim_pipe_end(&conn->down, 0);
}

void sim_conn_stall(struct sim_conn *conn, bool up, bool down, uint64_t until_ns)
{
    if (up && conn->phase != SIM_CONN_CLOSED) /* then it is known how late it comes */
        sim_pipe_stall(&conn->up, until_ns);
    if (down)
        sim_pipe_stall(&conn->down, until_ns);
}

/* Longer than any wait of the library's own between two commands of one try. */
#define IDLE_MAX_NS (4 * SIM_S)

void sim_network_judge_idle(struct sim *sim)
{
    /* The library knows later than the wire, or otherwise. */
    if (sim_plan_has(&sim->plan, SIM_FAULT_HOLD) || sim_plan_has(&sim->plan, SIM_FAULT_CORRUPT))
        return;
    ISKRA_LIST_FOREACH(l, &sim->network.conns)
    {
        struct sim_conn *conn = iskra_container_of(l, struct sim_conn, link);
        bool ends = conn->error || conn->down.end_arrived || !conn->peer;
        bool stuck = sim_pipe_writable(&conn->up) == 0;
        if (conn->was_stuck) /* from now on there is room for what waited for it */
            conn->wire.last_ns = sim->clock.now_ns;
        conn->was_stuck = stuck;
        uint64_t idle_ns = sim_wire_idle_ns(&conn->wire);
        if (conn->phase != SIM_CONN_OPEN || ends || stuck || idle_ns < IDLE_MAX_NS)
            continue;
        uint64_t waits_ns = sim_workload_waits_ns(sim, conn->wire.isid);
        if (waits_ns >= IDLE_MAX_NS)
            sim_fail(&sim->record,
                     "connection %u: a request waits for %.1f s, in which the window was open and "
                     "nothing was sent",
                     conn->number, (double)(waits_ns < idle_ns ? waits_ns : idle_ns) / 1e9);
    }
}

void sim_network_heal(struct sim *sim)
{
    sim->network.down = false;
    for (struct iskra_list *l = sim->network.conns.next, *next; l != &sim->network.conns;
         l = next) {
        struct sim_conn *conn = iskra_container_of(l, struct sim_conn, link);
        next = l->next;
        /* What was written before still comes before: a stall that ends changes no order. */
        if (conn->phase != SIM_CONN_CLOSED)
            sim_conn_stall(conn, true, true, 0);
    }
}
