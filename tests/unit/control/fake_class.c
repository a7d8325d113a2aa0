#include "fake_class.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>

/* ---- the world ---- */

static uint64_t fake_now_ns(void *arg)
{
    return ((struct fake *)arg)->round.now_ns;
}

static int fake_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    return 0;
}

static int fake_random(void *arg, void *buf, size_t len)
{
    memset(buf, 0x5a, len);
    if (len == 1) /* a jitter, which is tested elsewhere */
        memset(buf, 0, len);
    return 0;
}

static int fake_connect_start(void *arg, const struct sockaddr *addr, socklen_t addr_len)
{
    struct fake *f = arg;
    struct iskra_address address = {.len = addr_len};
    memcpy(&address.sa, addr, addr_len);
    if (f->connect_cnt < 8)
        (void)iskra_address_format(&address, f->connected_to[f->connect_cnt],
                                   sizeof(f->connected_to[0]));
    (void)iskra_address_format(&address, f->last_connected_to, sizeof(f->last_connected_to));
    f->connect_cnt++;
    if (f->connect_start_error)
        return f->connect_start_error;
    f->open_fds++;
    return FAKE_FD + (int)f->connect_cnt - 1;
}

static int fake_connect_finish(void *arg, int fd)
{
    struct fake *f = arg;
    return f->finish_error[(fd - FAKE_FD) % 8];
}

static void fake_close(void *arg, int fd, int abortive)
{
    struct fake *f = arg;
    assert_true(fd >= FAKE_FD);
    assert_true(f->open_fds > 0);
    assert_null(f->watch); /* not watched any more */
    f->open_fds--;
    f->close_cnt++;
    f->last_abortive = abortive;
}

static void *fake_alloc(void *arg, size_t size)
{
    struct fake *f = arg;
    if (f->alloc_fails_at != 0 && ++f->alloc_cnt == f->alloc_fails_at)
        return NULL;
    return calloc(1, size);
}

static void fake_release(void *arg, void *p)
{
    free(p);
}

static struct fake *fake_of(struct iskra_round *round)
{
    return iskra_container_of(round, struct fake, round);
}

static int fake_watch_add(struct iskra_round *round, struct iskra_watch *watch)
{
    struct fake *f = fake_of(round);
    assert_null(f->watch);
    f->watch = watch;
    return 0;
}

static void fake_watch_remove(struct iskra_round *round, struct iskra_watch *watch)
{
    struct fake *f = fake_of(round);
    assert_ptr_equal(f->watch, watch);
    f->watch = NULL;
}

/* ---- the class ---- */

static void note(struct fake *f, const char *word)
{
    size_t len = strlen(f->log);
    (void)snprintf(f->log + len, sizeof(f->log) - len, "%s%s", len > 0 ? " " : "", word);
}

/* A run of SET_PARAMs is one word. */
static void note_request(struct fake *f, const struct iskra_uevent *ev)
{
    const char *name = iskra_uevent_name(ev->type);
    size_t len = strlen(f->log), name_len = strlen(name);
    bool again = ev->type == ISKRA_UEVENT_SET_PARAM && len >= name_len &&
                 strcmp(f->log + len - name_len, name) == 0;
    if (!again)
        note(f, name);
}

static int fake_request(void *handle, struct iskra_uevent *ev, const uint8_t *hdr,
                        const uint8_t *data, size_t data_len, struct iskra_error *err)
{
    struct fake *f = handle;
    if (ev->type == ISKRA_UEVENT_GET_STATS) {
        assert_int_equal(f->conn_cnt, 1);
        ev->r.stats = (struct iskra_conn_stats){.rx_pdus = f->rx_pdus};
        return 0;
    }
    note_request(f, ev);
    if (f->refuse && strcmp(f->refuse, iskra_uevent_name(ev->type)) == 0) {
        ev->iferror = -EPERM;
        ev->type = ISKRA_KEVENT_IF_ERROR;
        return -EPERM;
    }
    switch (ev->type) {
    case ISKRA_UEVENT_CREATE_SESSION:
        assert_int_equal(f->session_cnt, 0);
        f->session_cnt++;
        ev->sid = ++f->sid;
        break;
    case ISKRA_UEVENT_DESTROY_SESSION:
        assert_int_equal(f->conn_cnt, 0);
        assert_int_equal(f->session_cnt, 1);
        f->session_cnt--;
        break;
    case ISKRA_UEVENT_CREATE_CONN:
        assert_int_equal(ev->sid, f->sid);
        f->conn_cnt++;
        f->terminated = false;
        break;
    case ISKRA_UEVENT_DESTROY_CONN:
        assert_int_equal(f->conn_cnt, 1);
        f->conn_cnt--;
        break;
    case ISKRA_UEVENT_BIND_CONN:
        assert_true(ev->u.bind_conn.fd >= FAKE_FD);
        assert_true(ev->u.bind_conn.is_leading);
        assert_false(f->bound);
        f->bound = true;
        break;
    case ISKRA_UEVENT_SET_PARAM:
        assert_true((unsigned)ev->u.set_param.param < ISKRA_PARAM_CNT);
        f->params[ev->u.set_param.param] = ev->u.set_param.value;
        f->param_set[ev->u.set_param.param] = true;
        break;
    case ISKRA_UEVENT_SEND_PDU:
        assert_true(data_len < sizeof(f->text));
        memcpy(f->hdr, hdr, sizeof(f->hdr));
        if (data_len > 0)
            memcpy(f->text, data, data_len);
        f->text_len = data_len;
        f->pdu_cnt++;
        break;
    case ISKRA_UEVENT_STOP_CONN:
        assert_int_equal(f->conn_cnt, 1);
        assert_false(f->terminated);
        if (f->bound) /* the class lets go before the socket is closed */
            assert_true(f->open_fds > 0);
        else
            assert_int_equal(ev->u.stop_conn.flag, ISKRA_STOP_TERM);
        f->bound = false;
        f->terminated = ev->u.stop_conn.flag == ISKRA_STOP_TERM;
        f->stopped = *ev->u.stop_conn.why;
        break;
    default:
        break;
    }
    return 0;
}

static const struct iskra_if_ops fake_if_ops = {.request = fake_request};

/* ---- the layer above ---- */

static void freed_if_asked(struct fake *f)
{
    if (!f->free_in_callback)
        return;
    iskra_initiator_free(f->ini);
    f->ini = NULL;
}

static void fake_up(void *owner)
{
    struct fake *f = owner;
    f->up_cnt++;
    if (f->close_in_up)
        iskra_initiator_close(f->ini);
    freed_if_asked(f);
}

static void fake_down(void *owner, const struct iskra_error *why)
{
    struct fake *f = owner;
    f->down_cnt++;
    freed_if_asked(f);
    f->why = *why;
}

static void fake_closed(void *owner)
{
    struct fake *f = owner;
    f->closed_cnt++;
    freed_if_asked(f);
}

static int fake_target(void *owner, const struct iskra_target_entry *e)
{
    struct fake *f = owner;
    size_t len = strlen(f->targets);
    f->target_cnt++;
    (void)snprintf(f->targets + len, sizeof(f->targets) - len, "%s %s:%u,%u;", e->target_name,
                   e->address->host, e->address->port, e->address->tpgt);
    return f->target_cnt == f->stop_after;
}

static void fake_note(void *owner, const char *line)
{
    struct fake *f = owner;
    (void)snprintf(f->noted, sizeof(f->noted), "%s", line);
}

static void fake_lost(void *owner, const struct iskra_error *why)
{
    struct fake *f = owner;
    f->lost_cnt++;
    f->attempt = 0;
    freed_if_asked(f);
    f->why = *why;
}

static void fake_retry(void *owner, unsigned attempt, uint64_t delay_ns,
                       const struct iskra_error *why)
{
    struct fake *f = owner;
    f->retry_cnt++;
    f->attempt = attempt;
    f->delay_ms = (unsigned)(delay_ns / 1000000);
    freed_if_asked(f);
    f->why = *why;
}

static void fake_reopened(void *owner)
{
    struct fake *f = owner;
    f->reopened_cnt++;
    freed_if_asked(f);
}

static const struct iskra_initiator_ops fake_ops = {
    .lost = fake_lost,
    .retry = fake_retry,
    .reopened = fake_reopened,
    .note = fake_note,
    .up = fake_up,
    .down = fake_down,
    .closed = fake_closed,
    .target = fake_target,
};

/* ---- life ---- */

struct fake *fake_new(const char *host, bool discovery)
{
    struct fake *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->pf = (struct iskra_platform){
        .size = sizeof(f->pf),
        .arg = f,
        .now_ns = fake_now_ns,
        .wait = fake_wait,
        .random = fake_random,
        .connect_start = fake_connect_start,
        .connect_finish = fake_connect_finish,
        .close = fake_close,
        .alloc = fake_alloc,
        .free = fake_release,
    };
    f->round_ops =
        (struct iskra_round_ops){.watch_add = fake_watch_add, .watch_remove = fake_watch_remove};
    f->round.ops = &f->round_ops;
    f->round.pf = &f->pf;
    f->round.now_ns = 1000000000;
    iskra_timers_init(&f->round.timers, &f->pf);
    iskra_workq_init(&f->round.work);
    iskra_workq_init(&f->round.xmit);
    assert_int_equal(iskra_trace_init(&f->round.trace, &f->pf, 256), 0);
    iskra_initiator_config_default(&f->cfg, discovery);
    f->cfg.initiator_name = "iqn.2026-01.org.example:i";
    f->cfg.target_name = discovery ? NULL : "iqn.2026-01.org.example:t";
    f->cfg.host = host;
    return f;
}

void fake_make(struct fake *f)
{
    assert_int_equal(iskra_initiator_new(&f->round, &f->cfg, &fake_ops, f, &f->ini, &f->err), 0);
    iskra_initiator_attach(f->ini, &fake_if_ops, f);
}

void fake_free(struct fake *f)
{
    iskra_initiator_free(f->ini);
    assert_int_equal(f->open_fds, 0);
    assert_int_equal(f->session_cnt, 0);
    assert_int_equal(f->conn_cnt, 0);
    assert_null(f->watch);
    assert_int_equal(iskra_timers_next_ns(&f->round.timers), ISKRA_NEVER);
    iskra_timers_done(&f->round.timers);
    iskra_trace_done(&f->round.trace);
    free(f);
}

/* ---- what happens ---- */

void fake_run(struct fake *f)
{
    for (unsigned i = 0; iskra_workq_run(&f->round.work) > 0; i++)
        assert_true(i < 1000);
}

void fake_open(struct fake *f)
{
    if (!f->ini)
        fake_make(f);
    assert_int_equal(iskra_initiator_open(f->ini, &f->err), 0);
    fake_run(f);
}

void fake_later(struct fake *f, uint64_t ms)
{
    f->round.now_ns += ms * 1000000u;
    (void)iskra_timers_run(&f->round.timers, f->round.now_ns);
    fake_run(f);
}

void fake_connected(struct fake *f)
{
    assert_non_null(f->watch);
    assert_int_equal(f->watch->events, POLLOUT);
    f->watch->fn(f->watch, POLLOUT);
    fake_run(f);
}

void fake_event(struct fake *f, const uint8_t *hdr, const char *text)
{
    struct iskra_uevent ev = {.type = ISKRA_KEVENT_RECV_PDU, .sid = f->sid};
    struct iskra_event_sink sink = iskra_initiator_sink(f->ini);
    char buf[8192];
    size_t len = segment(buf, sizeof(buf), text);
    unsigned up = f->up_cnt, down = f->down_cnt, closed = f->closed_cnt;
    unsigned told = f->lost_cnt + f->retry_cnt + f->reopened_cnt;
    sink.event(sink.arg, &ev, hdr, (const uint8_t *)buf, len, NULL);
    if (f->lost_at_once) {
        struct iskra_uevent lost = {.type = ISKRA_KEVENT_CONN_ERROR, .sid = f->sid};
        sink.event(sink.arg, &lost, NULL, NULL, 0, f->lost_at_once);
    }
    assert_int_equal(f->up_cnt + f->down_cnt + f->closed_cnt,
                     up + down + closed); /* never from inside */
    assert_int_equal(f->lost_cnt + f->retry_cnt + f->reopened_cnt, told);
    fake_run(f);
}

void fake_conn_error(struct fake *f, const struct iskra_error *why)
{
    struct iskra_uevent ev = {
        .type = ISKRA_KEVENT_CONN_ERROR,
        .sid = f->sid,
        .u.conn_error.error = ISKRA_CONN_TCP_CONN_CLOSE,
    };
    struct iskra_event_sink sink = iskra_initiator_sink(f->ini);
    sink.event(sink.arg, &ev, NULL, NULL, 0, why);
    fake_run(f);
}

static void login_rsp(struct fake *f, uint8_t status_class, uint8_t detail, const char *text)
{
    struct iskra_pdu_login req;
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGIN);
    iskra_login_decode(f->hdr, &req);
    struct iskra_pdu_login_rsp rsp = {
        .transit = req.transit,
        .csg = req.csg,
        .nsg = req.nsg,
        .tsih = f->tsih ? f->tsih : 77,
        .stat_sn = req.exp_stat_sn,
        .status_class = status_class,
        .status_detail = detail,
    };
    memcpy(rsp.isid, req.isid, sizeof(rsp.isid));
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_login_rsp_encode(&rsp, hdr);
    fake_event(f, hdr, text);
}

void fake_login_response(struct fake *f, const char *text)
{
    login_rsp(f, 0, 0, text);
}

void fake_login_status(struct fake *f, uint8_t status_class, uint8_t detail, const char *text)
{
    login_rsp(f, status_class, detail, text);
}

void fake_to_login(struct fake *f)
{
    fake_open(f);
    fake_connected(f);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_IN_LOGIN);
}

void fake_to_full_feature(struct fake *f)
{
    fake_to_login(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    fake_login_response(f, "MaxRecvDataSegmentLength=65536;");
}

void fake_logout_response(struct fake *f)
{
    struct iskra_pdu_logout_rsp rsp = {0};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_logout_rsp_encode(&rsp, hdr);
    fake_event(f, hdr, "");
}

void fake_async_of(struct fake *f, const struct iskra_pdu_async *pdu, const char *text)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_async_encode(pdu, hdr);
    fake_event(f, hdr, text);
}

void fake_async(struct fake *f, uint8_t event)
{
    const struct iskra_pdu_async pdu = {.itt = ISKRA_RESERVED_TAG, .event = event, .param3 = 5};
    fake_async_of(f, &pdu, "");
}

void fake_text_response(struct fake *f, bool last, const char *text)
{
    struct iskra_pdu_text_rsp rsp = {
        .final = last, .cont = !last, .ttt = last ? ISKRA_RESERVED_TAG : 9, .stat_sn = 50};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_text_rsp_encode(&rsp, hdr);
    fake_event(f, hdr, text);
}

uint8_t fake_opcode(const struct fake *f)
{
    return iskra_bhs_opcode(f->hdr);
}
