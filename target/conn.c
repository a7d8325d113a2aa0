/* A connection: its memory, its phases, and the byte stream cut into PDUs.
 *
 * pdu_take() is the one place that every PDU from the initiator passes, target_conn_send() the one
 * that every PDU to it passes: faults (fault.h) happen there. */
#include "target/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/crc32c.h"

#define CLOSE_TIMEOUT_NS UINT64_C(5000000000) /* for a peer that does not read our last words */
#define WINDOW_MAX       ((size_t)131072)     /* one receive: more would leave the cache */

#define HEADER_MAX (ISKRA_BHS_LEN + ISKRA_AHS_LEN_MAX + ISKRA_DIGEST_LEN)

/* A whole PDU always fits. */
static size_t staging_need(uint32_t recv_max)
{
    return HEADER_MAX + recv_max + 3 + ISKRA_DIGEST_LEN;
}

/* The largest payload of the arena is an echoed ping or a Data-In of a file; twice that, see
 * target_out_begin(). */
static uint32_t arena_need(const struct iskra_target_options *options)
{
    uint32_t most =
        options->max_recv > options->max_data_in ? options->max_recv : options->max_data_in;
    return 2 * (most > TEXT_OUT_MAX ? most : TEXT_OUT_MAX);
}

static int memory_take(struct iskra_target_conn *conn)
{
    conn->text_in = malloc(TEXT_IN_MAX);
    conn->text_out = malloc(TEXT_OUT_MAX);
    conn->staging_len = staging_need(LOGIN_RECV_MAX);
    conn->staging = malloc(conn->staging_len);
    if (!conn->text_in || !conn->text_out || !conn->staging)
        return -ENOMEM;
    return target_out_init(&conn->out, 2 * TEXT_OUT_MAX);
}

struct iskra_target_conn *iskra_target_conn_new(struct iskra_target *target, const char *address,
                                                uint64_t now_ns)
{
    if (target->stats.conn_cnt >= target->options.max_conns)
        return NULL;
    struct iskra_target_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    conn->target = target;
    conn->deadline_ns = now_ns + target->options.login_timeout_ns;
    conn->now_ns = now_ns;
    conn->recv_max = LOGIN_RECV_MAX;
    conn->stat_sn = 1;
    iskra_list_init(&conn->tasks);
    iskra_list_init(&conn->receiving);
    iskra_list_init(&conn->asking);
    iskra_list_init(&conn->free_tasks);
    iskra_list_init(&conn->free_immediate);
    iskra_list_init(&conn->link);
    snprintf(conn->address, sizeof(conn->address), "%s", address);
    target_keys_init(&conn->keys, &target->options);
    iskra_list_push_back(&target->conns, &conn->link);
    target->stats.conn_cnt++;
    if (memory_take(conn) < 0 || target_conn_faults_init(conn) < 0) {
        iskra_target_conn_free(conn);
        return NULL;
    }
    return conn;
}

void iskra_target_conn_free(struct iskra_target_conn *conn)
{
    if (!conn)
        return;
    target_session_end(conn);
    iskra_list_remove(&conn->link);
    conn->target->stats.conn_cnt--;
    target_out_done(&conn->out);
    target_conn_faults_done(conn);
    free(conn->collect);
    free(conn->task_mem);
    free(conn->text_in);
    free(conn->text_out);
    free(conn->staging);
    free(conn);
}

void target_conn_enter(struct iskra_target_conn *conn, enum conn_phase phase)
{
    if (phase <= conn->phase) /* phases only go forward */
        return;
    conn->phase = phase;
    conn->deadline_ns = phase == CONN_CLOSING ? conn->now_ns + CLOSE_TIMEOUT_NS : UINT64_MAX;
    if (phase >= CONN_CLOSING) {
        target_session_end(conn);
        conn->target->roused = true;
    }
}

void target_conn_drop(struct iskra_target_conn *conn)
{
    target_conn_enter(conn, CONN_CLOSED);
}

static int tasks_take(struct iskra_target_conn *conn)
{
    uint32_t window = conn->target->options.cmd_window;
    conn->task_mem = calloc(window + IMMEDIATE_MAX, sizeof(*conn->task_mem));
    if (!conn->task_mem)
        return -ENOMEM;
    conn->task_mem_cnt = window + IMMEDIATE_MAX;
    /* Pages that are never used are never there. */
    conn->collect = malloc((size_t)COLLECT_CNT * COLLECT_LEN);
    if (!conn->collect)
        return -ENOMEM;
    for (uint32_t i = 0; i < window + IMMEDIATE_MAX; i++) {
        struct target_task *task = &conn->task_mem[i];
        task->immediate = i >= window;
        iskra_list_push_back(task->immediate ? &conn->free_immediate : &conn->free_tasks,
                             &task->link);
    }
    return 0;
}

/* Gets what a session needs beyond its login: larger staging (what follows the login in it moves
 * along), a larger arena (the last answers of the login are not in it yet), tasks. */
int target_conn_full_feature(struct iskra_target_conn *conn)
{
    const struct iskra_target_options *options = &conn->target->options;
    size_t staging_len = staging_need(options->max_recv) + WINDOW_MAX / 2;
    uint8_t *staging = malloc(staging_len);
    if (!staging)
        return -ENOMEM;
    size_t kept = conn->tail;
    memcpy(staging, conn->staging, kept);
    free(conn->staging);
    conn->staging = staging;
    conn->staging_len = staging_len;

    struct target_out out;
    if (target_out_init(&out, arena_need(options)) < 0)
        return -ENOMEM;
    target_out_done(&conn->out); /* empty: the caller has seen to that */
    conn->out = out;
    return tasks_take(conn);
}

/* The header at `head` is complete: checks its digest, then its length. */
static bool header_judge(struct iskra_target_conn *conn, const uint8_t *bhs, size_t header_len)
{
    if (conn->header_digest) {
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bhs, header_len);
        if (iskra_crc32c_get(bhs + header_len) != iskra_crc32c_finish(crc)) {
            /* RFC 7143 7.8: its length cannot be believed, so nothing after it can be found. */
            (void)iskra_fail(&conn->err, ISKRA_E_PROTOCOL, EBADMSG,
                             "header digest error in a PDU that says opcode 0x%02x",
                             iskra_bhs_opcode(bhs));
            target_conn_drop(conn);
            return false;
        }
    }
    if (iskra_bhs_data_len(bhs) > conn->recv_max) {
        (void)iskra_fail(&conn->err, ISKRA_E_PROTOCOL, EMSGSIZE,
                         "data segment of %u bytes, MaxRecvDataSegmentLength is %u",
                         iskra_bhs_data_len(bhs), conn->recv_max);
        target_conn_drop(conn);
        return false;
    }
    conn->header_ok = true;
    return true;
}

static bool data_digest_ok(const struct iskra_target_conn *conn, const uint8_t *payload,
                           size_t padded_len)
{
    if (!conn->data_digest || padded_len == 0)
        return true;
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, payload, padded_len);
    return iskra_crc32c_get(payload + padded_len) == iskra_crc32c_finish(crc);
}

void target_conn_send(struct iskra_target_conn *conn, struct out_pdu *pdu,
                      const struct target_task *task)
{
    bool faults = conn->target->faults.cnt > 0;
    if (faults && target_fault_outgoing(conn, pdu, task) != FAULT_PASS)
        return; /* as if it had been lost: its numbers are used up */
    target_out_commit(&conn->out, pdu, conn->header_digest, conn->data_digest);
    if (faults)
        target_fault_committed(conn, pdu);
}

/* A whole PDU goes to who knows what it means, unless a fault is due. */
static enum pdu_verdict pdu_give(struct iskra_target_conn *conn, size_t header_len,
                                 size_t payload_at, size_t padded_len)
{
    uint8_t *bhs = conn->staging + conn->head, *payload = bhs + payload_at;
    uint32_t payload_len = iskra_bhs_data_len(bhs);
    enum fault_verdict fault = FAULT_PASS;
    if (conn->target->faults.cnt > 0)
        fault = target_fault_incoming(conn, bhs, payload, payload_len);
    if (fault == FAULT_WAIT || (fault == FAULT_BAD_HEADER && !header_judge(conn, bhs, header_len)))
        return PDU_WAITS;
    if (fault == FAULT_LOSE) { /* its number is used up, so that the next ones find their turn */
        if (conn->phase == CONN_FULL_FEATURE && iskra_bhs_opcode(bhs) < ISKRA_OP_SNACK &&
            iskra_bhs_opcode(bhs) != ISKRA_OP_DATA_OUT)
            (void)target_request_number(conn, bhs);
        return PDU_TAKEN;
    }
    struct target_pdu pdu = {.bhs = bhs,
                             .payload = payload,
                             .payload_len = payload_len,
                             .digest_ok = data_digest_ok(conn, payload, padded_len)};
    return conn->phase == CONN_LOGIN ? target_login_pdu(conn, &pdu)
                                     : target_request_pdu(conn, &pdu);
}

/* Takes one PDU off staging. False: it is not there yet, has no room for its answer, or nothing is
 * taken any more. */
static bool pdu_take(struct iskra_target_conn *conn)
{
    size_t have = conn->tail - conn->head;
    if (conn->phase >= CONN_CLOSING || have < ISKRA_BHS_LEN)
        return false;
    const uint8_t *bhs = conn->staging + conn->head;
    size_t header_len = ISKRA_BHS_LEN + iskra_bhs_ahs_len(bhs);
    size_t payload_at = header_len + (conn->header_digest ? ISKRA_DIGEST_LEN : 0);
    if (have < payload_at || (!conn->header_ok && !header_judge(conn, bhs, header_len)))
        return false;
    uint32_t payload_len = iskra_bhs_data_len(bhs);
    size_t padded_len = payload_len + iskra_pad_len(payload_len);
    size_t total =
        payload_at + padded_len + (conn->data_digest && payload_len > 0 ? ISKRA_DIGEST_LEN : 0);
    if (have < total)
        return false;

    /* Once taken, the bytes stay where they are until the next receive; full_feature() moves them.
     */
    enum pdu_verdict verdict = pdu_give(conn, header_len, payload_at, padded_len);
    conn->blocked = verdict == PDU_BLOCKED;
    if (verdict != PDU_TAKEN)
        return false;
    target_fault_taken(conn);
    conn->target->stats.pdu_in_cnt++;
    conn->head += total;
    conn->header_ok = false;
    return true;
}

static void pdus_take(struct iskra_target_conn *conn)
{
    while (pdu_take(conn))
        ;
    target_fault_close(conn);
    if (conn->head == conn->tail)
        conn->head = conn->tail = 0;
}

unsigned iskra_target_conn_recv_window(struct iskra_target_conn *conn, struct iovec *iov)
{
    if (conn->phase >= CONN_CLOSING || target_fault_stalled(conn))
        return 0;
    /* The rest of a PDU moves to the front when it might not fit otherwise. */
    if (conn->head > 0 && conn->staging_len - conn->head < staging_need(conn->recv_max)) {
        memmove(conn->staging, conn->staging + conn->head, conn->tail - conn->head);
        conn->tail -= conn->head;
        conn->head = 0;
    }
    size_t room = conn->staging_len - conn->tail;
    if (room == 0 || conn->blocked)
        return 0;
    iov[0] = (struct iovec){.iov_base = conn->staging + conn->tail,
                            .iov_len = room < WINDOW_MAX ? room : WINDOW_MAX};
    return 1;
}

void iskra_target_conn_received(struct iskra_target_conn *conn, size_t len, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    conn->tail += len;
    pdus_take(conn);
}

unsigned iskra_target_conn_send_window(struct iskra_target_conn *conn, struct iovec *iov,
                                       unsigned max)
{
    if (conn->phase == CONN_CLOSED || target_fault_stalled(conn))
        return 0;
    if (conn->phase == CONN_FULL_FEATURE) {
        target_r2t_pump(conn); /* before answers: who waits for them cannot send */
        target_data_in_pump(conn);
        target_fault_close(conn);
        if (target_fault_stalled(conn))
            return 0;
    }
    return target_out_window(&conn->out, iov, max, conn->now_ns);
}

void iskra_target_conn_sent(struct iskra_target_conn *conn, size_t len, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    conn->target->stats.pdu_out_cnt += target_out_sent(&conn->out, len);
    if (conn->phase == CONN_CLOSING && conn->out.cnt == 0)
        target_conn_enter(conn, CONN_CLOSED);
    else if (conn->blocked)
        pdus_take(conn);
}

uint64_t iskra_target_conn_deadline_ns(const struct iskra_target_conn *conn)
{
    return target_fault_deadline(conn, conn->deadline_ns);
}

void iskra_target_conn_tick(struct iskra_target_conn *conn, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    if (target_fault_stalled(conn))
        return;
    if (now_ns < conn->deadline_ns) {
        if (conn->target->faults.cnt > 0)
            pdus_take(conn); /* what a fault has held back */
        return;
    }
    if (conn->phase == CONN_LOGIN)
        (void)iskra_fail(&conn->err, ISKRA_E_TIMEOUT_LOGIN, ETIMEDOUT, "no login within %ju ms",
                         (uintmax_t)(conn->target->options.login_timeout_ns / 1000000));
    target_conn_drop(conn);
}

bool iskra_target_conn_finished(const struct iskra_target_conn *conn)
{
    return conn->phase == CONN_CLOSED || (conn->phase == CONN_CLOSING && conn->out.cnt == 0);
}

const struct iskra_error *iskra_target_conn_error(const struct iskra_target_conn *conn)
{
    return &conn->err;
}
