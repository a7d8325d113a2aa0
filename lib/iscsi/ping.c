/* Our own pings; see ping.h. */
#include "iscsi/ping.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "timer.h"

#define NS_PER_S 1000000000.0

#define REJECT_IMMEDIATE_COMMAND 0x06u /* RFC 7143 11.17.1: try again later */

struct iskra_ping {
    struct iskra_round *round;
    struct iskra_task *task; /* NULL when it is gone */
    struct iskra_timer timer;
    struct iskra_work work; /* tells the outcome */
    iskra_ping_told_fn *fn;
    void *arg;
    uint64_t timeout_ns, sent_ns, rtt_ns;
    bool judged; /* the outcome is known */
    bool told;
    int status;
    struct iskra_error error;
    uint32_t len;
    uint8_t data[];
};

static void ping_free(struct iskra_ping *ping)
{
    iskra_timer_done(&ping->timer);
    ping->round->pf->free(ping->round->pf->arg, ping);
}

static void tell(struct iskra_work *work)
{
    struct iskra_ping *ping = iskra_container_of(work, struct iskra_ping, work);
    ping->told = true;
    ping->fn(ping->arg, ping->status, ping->rtt_ns, &ping->error);
    if (ping->task == NULL)
        ping_free(ping);
}

static void judge(struct iskra_ping *ping, int status)
{
    ping->judged = true;
    ping->status = status;
    iskra_timer_disarm(&ping->timer);
    iskra_work_schedule(&ping->round->work, &ping->work);
}

/* Not sent yet: it never will be. Sent: the tag waits for the answer that may still come. */
static void timed_out(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_ping *ping = iskra_container_of(timer, struct iskra_ping, timer);
    (void)now_ns;
    bool sent = ping->task->state != ISKRA_TASK_PENDING;
    judge(ping, iskra_fail(&ping->error, ISKRA_E_TIMEOUT_SCSI, ETIMEDOUT, "%s within %g s",
                           sent ? "no answer to a ping" : "a ping was not sent",
                           (double)ping->timeout_ns / NS_PER_S));
    if (!sent)
        iskra_complete_task(ping->task, ISKRA_TASK_COMPLETED);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* RFC 7143 11.18.3: what the target declared to take, and what comes back is to fit here too. */
static uint32_t data_len_max(const struct iskra_session_params *p)
{
    return smaller(ISKRA_CONN_BUF_LEN, smaller(p->max_xmit_data_len, p->max_recv_data_len));
}

static int refused(const struct iskra_conn *conn, uint32_t len, struct iskra_error *err)
{
    const struct iskra_session *s = conn->session;
    if (s->state != ISKRA_SESSION_LOGGED_IN || conn->tx_suspended ||
        conn->stage != ISKRA_CONN_STAGE_STARTED)
        return iskra_fail(err, ISKRA_E_CONNECTION, ENOTCONN, "no ping: the session is %s%s%s",
                          iskra_session_state_name(s->state), s->error.text[0] ? ": " : "",
                          s->error.text);
    if (len > data_len_max(&s->params))
        return iskra_fail(err, ISKRA_E_USAGE, EMSGSIZE,
                          "a ping with %u bytes of data; at most %u are possible here", len,
                          data_len_max(&s->params));
    if (conn->ping_cnt >= ISKRA_PINGS_MAX || !iskra_conn_lends(conn))
        return iskra_fail(err, ISKRA_E_USAGE, EBUSY, "no ping: %u are not answered yet",
                          conn->ping_cnt + conn->late_answer_cnt);
    return 0;
}

static struct iskra_ping *ping_new(struct iskra_round *round, const void *data, uint32_t len)
{
    struct iskra_ping *ping = round->pf->alloc(round->pf->arg, sizeof(*ping) + len);
    if (ping == NULL)
        return NULL;
    ping->round = round;
    ping->len = len;
    if (len > 0)
        memcpy(ping->data, data, len);
    iskra_work_init(&ping->work, tell);
    if (iskra_timer_init(&ping->timer, &round->timers, timed_out) == 0)
        return ping;
    round->pf->free(round->pf->arg, ping);
    return NULL;
}

/* Its serial numbers are filled in when its turn has come (prep.c). The LUN means something only
 * beside a target transfer tag (RFC 7143 11.18). */
static void task_fill(struct iskra_task *task, struct iskra_ping *ping)
{
    struct iskra_pdu_nop_out pdu = {
        .immediate = true,
        .data_len = ping->len,
        .itt = task->tcp.itt,
        .ttt = ISKRA_RESERVED_TAG,
    };
    iskra_nop_out_encode(&pdu, task->hdr);
    task->opcode = ISKRA_OP_NOP_OUT;
    task->ping = ping;
    task->data = ping->len > 0 ? ping->data : NULL;
    task->data_len = ping->len;
}

int iskra_ping_send(struct iskra_conn *conn, const void *data, uint32_t len, uint64_t timeout_ns,
                    iskra_ping_told_fn *fn, void *arg, struct iskra_error *err)
{
    struct iskra_round *round = conn->session->round;
    int rc = refused(conn, len, err);
    if (rc != 0)
        return rc;
    struct iskra_ping *ping = ping_new(round, data, len);
    if (ping == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a ping of %u bytes", len);
    ping->fn = fn;
    ping->arg = arg;
    ping->timeout_ns = timeout_ns;
    ping->sent_ns = round->now_ns;
    ping->task = iskra_task_alloc(conn->session, conn); /* refused() saw a free one */
    task_fill(ping->task, ping);
    conn->ping_cnt++;
    iskra_list_push_back(&conn->mgmtqueue, &ping->task->link);
    iskra_timer_arm(&ping->timer, round->now_ns + timeout_ns);
    iskra_conn_kick_xmit(conn);
    return 0;
}

void iskra_ping_sent(struct iskra_ping *ping)
{
    ping->sent_ns = ping->round->now_ns;
}

/* A target may cut what it sends back to our MaxRecvDataSegmentLength, within which every ping
 * stays: whatever is not the same is an error. */
static int echo_judge(struct iskra_ping *ping, const uint8_t *data, uint32_t len)
{
    uint32_t common_len = smaller(len, ping->len), at = 0;
    while (at < common_len && data[at] == ping->data[at])
        at++;
    if (at < common_len)
        return iskra_fail(&ping->error, ISKRA_E_RESPONSE, EBADMSG,
                          "byte %u of %u of a ping was 0x%02x and came back as 0x%02x", at,
                          ping->len, ping->data[at], data[at]);
    if (len != ping->len)
        return iskra_fail(&ping->error, ISKRA_E_RESPONSE, EBADMSG,
                          "a ping of %u bytes came back with %u", ping->len, len);
    return 0;
}

void iskra_ping_answered(struct iskra_ping *ping, const uint8_t *data, uint32_t len)
{
    if (ping->judged) /* too late */
        return;
    ping->rtt_ns = ping->round->now_ns - ping->sent_ns;
    judge(ping, echo_judge(ping, data, len));
}

void iskra_ping_rejected(struct iskra_ping *ping, uint8_t reason)
{
    if (!ping->judged)
        judge(ping, iskra_fail(&ping->error, ISKRA_E_PROTOCOL,
                               reason == REJECT_IMMEDIATE_COMMAND ? EAGAIN : EPROTO,
                               "the target rejected a ping: reason 0x%02x, %s", reason,
                               iskra_reject_reason_name(reason)));
}

/* Nobody had judged it: it was never sent, or its connection ended first. */
void iskra_ping_task_gone(struct iskra_ping *ping, const struct iskra_task *task)
{
    const struct iskra_session *s = task->session;
    task->conn->ping_cnt--;
    ping->task = NULL;
    if (!ping->judged && s->state != ISKRA_SESSION_LOGGING_OUT && s->error.code != ISKRA_OK) {
        ping->error = s->error;
        judge(ping, s->error.sys_errno != 0 ? -s->error.sys_errno : -EIO);
    } else if (!ping->judged) {
        judge(ping, iskra_fail(&ping->error, ISKRA_E_CONNECTION, ENOTCONN,
                               "a ping was not sent: the session is %s",
                               iskra_session_state_name(s->state)));
    }
    if (ping->told)
        ping_free(ping);
}
