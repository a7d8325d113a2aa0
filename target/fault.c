/* The engine of faults: see fault.h. */
#include "target/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/conn.h"
#include "wire/crc32c.h"

#define ITT_AT         16u /* a PDU whose tag is wrong is a PDU that cannot be believed */
#define PENDING_MAX    64u
#define SERVICE_ACTION 0x1fu

int target_faults_init(struct target_faults *faults, const struct iskra_target_options *options,
                       struct iskra_error *err)
{
    if (options->fault_cnt == 0)
        return 0;
    if (options->fault_cnt > PENDING_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%u faults; allowed: up to %u",
                          options->fault_cnt, PENDING_MAX);
    faults->all = calloc(options->fault_cnt, sizeof(*faults->all));
    if (!faults->all)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for %u faults",
                          options->fault_cnt);
    for (unsigned i = 0; i < options->fault_cnt; i++) {
        struct target_fault *fault = &faults->all[i];
        int rc = target_fault_parse(options->faults[i], &fault->spec, err);
        if (rc < 0)
            return rc;
        memcpy(fault->action, options->faults[i], strcspn(options->faults[i], ":"));
        faults->copies |= fault->spec.action == FAULT_CORRUPT;
        faults->cnt++;
    }
    return 0;
}

void target_faults_done(struct target_faults *faults)
{
    free(faults->all);
}

int target_conn_faults_init(struct iskra_target_conn *conn)
{
    struct target_faults *faults = &conn->target->faults;
    if (faults->cnt == 0)
        return 0;
    conn->faults.judge_next = true;
    conn->faults.number = ++faults->conn_cnt;
    conn->faults.counts = calloc(faults->cnt, sizeof(*conn->faults.counts));
    return conn->faults.counts ? 0 : -ENOMEM;
}

void target_conn_faults_done(struct iskra_target_conn *conn)
{
    free(conn->faults.counts);
}

/* A PDU as faults see it. */
struct sight {
    uint8_t opcode;
    uint32_t payload_len;
    bool has_cdb;
    uint8_t cdb_opcode, service_action;
};

static void cdb_see(struct sight *sight, uint8_t opcode, uint32_t service_action)
{
    sight->has_cdb = true;
    sight->cdb_opcode = opcode;
    sight->service_action = service_action & SERVICE_ACTION;
}

/* A PDU that has not got what would be spoilt is none of those that count. */
static bool has_part(const struct iskra_target_conn *conn, enum fault_part part, uint32_t data_len)
{
    bool data_digest = conn->data_digest && data_len > 0;
    switch (part) {
    case FAULT_PART_HEADER:
        return true;
    case FAULT_PART_DATA:
        return data_len > 0;
    case FAULT_PART_HEADER_DIGEST:
        return conn->header_digest;
    case FAULT_PART_DATA_DIGEST:
        return data_digest;
    case FAULT_PART_DIGEST:
        return conn->header_digest || data_digest;
    }
    return false;
}

static bool concerns(const struct iskra_target_conn *conn, const struct fault_spec *spec,
                     const struct sight *sight)
{
    if (!(spec->pdu.opcodes & FAULT_BIT(sight->opcode)) ||
        (spec->conn != 0 && spec->conn != conn->faults.number))
        return false;
    if (spec->of_command &&
        (!sight->has_cdb ||
         !target_fault_command_is(&spec->command, sight->cdb_opcode, sight->service_action)))
        return false;
    if (spec->action == FAULT_UNDONE)
        return sight->has_cdb && target_fault_command_changes(sight->cdb_opcode);
    return spec->action != FAULT_CORRUPT || has_part(conn, spec->part, sight->payload_len);
}

/* One more has come that the fault concerns: is it due? */
static bool is_due(const struct fault_spec *spec, struct fault_count *count)
{
    uint64_t n = ++count->seen;
    if (n < spec->first || count->fired >= spec->most)
        return false;
    if (spec->every ? (n - spec->first) % spec->every != 0 : n != spec->first)
        return false;
    count->fired++;
    return true;
}

static void tell(const struct iskra_target_conn *conn, const struct target_fault *fault,
                 uint8_t opcode, uint64_t n)
{
    const struct iskra_target_options *options = &conn->target->options;
    if (!options->fault_told)
        return;
    char text[256];
    (void)snprintf(text, sizeof(text), "fault: %s %s #%ju of connection %ju", fault->action,
                   target_fault_pdu_name(opcode), (uintmax_t)n, (uintmax_t)conn->faults.number);
    options->fault_told(options->fault_told_arg, text);
}

/* Bit per fault that is due at this PDU. */
static uint64_t judge(struct iskra_target_conn *conn, const struct sight *sight)
{
    if (conn->target->faults.off)
        return 0;
    struct target_faults *faults = &conn->target->faults;
    uint64_t due = 0;
    for (unsigned i = 0; i < faults->cnt; i++) {
        struct target_fault *fault = &faults->all[i];
        if (!concerns(conn, &fault->spec, sight))
            continue;
        struct fault_count *count = fault->spec.each_conn ? &conn->faults.counts[i] : &fault->count;
        if (!is_due(&fault->spec, count))
            continue;
        due |= UINT64_C(1) << i;
        tell(conn, fault, sight->opcode, count->seen);
    }
    return due;
}

static uint64_t later(const struct iskra_target_conn *conn, uint64_t ns)
{
    return ns > UINT64_MAX - conn->now_ns ? UINT64_MAX : conn->now_ns + ns;
}

static void close_begin(struct iskra_target_conn *conn)
{
    conn->faults.closing = true;
    (void)iskra_fail(&conn->err, ISKRA_E_CONNECTION, ECONNRESET, "closed by a fault");
}

static void field_change(uint8_t *bhs, const struct fault_spec *spec)
{
    const struct fault_field *field = spec->field;
    unsigned bytes = (field->width + 7u) / 8u;
    uint64_t mask = field->width < 64 ? (UINT64_C(1) << field->width) - 1 : UINT64_MAX;
    uint64_t all = 0;
    for (unsigned i = 0; i < bytes; i++)
        all = all << 8 | bhs[field->at + i];
    uint64_t value = spec->operation == FAULT_ADD        ? all + spec->value
                     : spec->operation == FAULT_SUBTRACT ? all - spec->value
                                                         : spec->value;
    all = (all & ~mask) | (value & mask);
    for (unsigned i = bytes; i-- > 0; all >>= 8)
        bhs[field->at + i] = (uint8_t)all;
}

/* ---- what comes in ---- */

static const struct target_task *writer_find(const struct iskra_target_conn *conn, uint32_t itt)
{
    for (uint32_t i = 0; i < conn->task_mem_cnt; i++) {
        const struct target_task *task = &conn->task_mem[i];
        if ((task->phase == TASK_RECEIVING || task->phase == TASK_ASKING) && task->itt == itt)
            return task;
    }
    return NULL;
}

static struct sight incoming_see(const struct iskra_target_conn *conn, const uint8_t *bhs,
                                 uint32_t payload_len)
{
    struct sight sight = {.opcode = iskra_bhs_opcode(bhs), .payload_len = payload_len};
    if (sight.opcode == ISKRA_OP_SCSI_CMD)
        cdb_see(&sight, bhs[32], bhs[33]);
    const struct target_task *task =
        sight.opcode == ISKRA_OP_DATA_OUT ? writer_find(conn, iskra_bhs_itt(bhs)) : NULL;
    if (task)
        cdb_see(&sight, task->cdb.opcode, task->cdb.service_action);
    return sight;
}

static void incoming_wait(struct iskra_target_conn *conn, uint64_t due)
{
    const struct target_fault *all = conn->target->faults.all;
    for (unsigned i = 0; due != 0; i++, due >>= 1) {
        if (!(due & 1))
            continue;
        uint64_t until_ns = later(conn, all[i].spec.time_ns);
        if (all[i].spec.action == FAULT_STALL && until_ns > conn->faults.stall_ns)
            conn->faults.stall_ns = until_ns;
        if (all[i].spec.action == FAULT_DELAY && until_ns > conn->faults.take_ns)
            conn->faults.take_ns = until_ns;
    }
}

static enum fault_verdict incoming_corrupt(const struct iskra_target_conn *conn, uint8_t *bhs,
                                           uint8_t *payload, uint32_t payload_len,
                                           enum fault_part part)
{
    bool header_digest = conn->header_digest;
    bool data_digest = conn->data_digest && payload_len > 0;
    uint8_t *digest = payload + payload_len + iskra_pad_len(payload_len);
    switch (part) {
    case FAULT_PART_HEADER:
        bhs[ITT_AT] ^= 0x40;
        return header_digest ? FAULT_BAD_HEADER : FAULT_PASS;
    case FAULT_PART_DATA:
        payload[payload_len / 2] ^= 0x40;
        return FAULT_PASS;
    case FAULT_PART_DATA_DIGEST:
    case FAULT_PART_DIGEST:
        if (data_digest) {
            digest[0] ^= 0x40;
            return FAULT_PASS;
        }
        break;
    case FAULT_PART_HEADER_DIGEST:
        break;
    }
    payload[-(int)ISKRA_DIGEST_LEN] ^= 0x40; /* it lies right before */
    return FAULT_BAD_HEADER;
}

enum fault_verdict target_fault_incoming(struct iskra_target_conn *conn, uint8_t *bhs,
                                         uint8_t *payload, uint32_t payload_len)
{
    struct target_conn_faults *faults = &conn->faults;
    if (faults->closing)
        return FAULT_WAIT;
    if (faults->judge_next) {
        struct sight sight = incoming_see(conn, bhs, payload_len);
        faults->due = judge(conn, &sight);
        faults->judge_next = false;
        incoming_wait(conn, faults->due);
    }
    if (target_fault_stalled(conn) || conn->now_ns < faults->take_ns)
        return FAULT_WAIT;
    uint64_t due = faults->due;
    faults->due = 0; /* what it does to the PDU is done once, however often that is shown */
    enum fault_verdict verdict = FAULT_PASS;
    for (unsigned i = 0; due != 0; i++, due >>= 1) {
        const struct fault_spec *spec = &conn->target->faults.all[i].spec;
        if (!(due & 1))
            continue;
        if (spec->action == FAULT_CLOSE) {
            close_begin(conn);
            return FAULT_WAIT;
        }
        if (spec->action == FAULT_DROP)
            return FAULT_LOSE;
        if (spec->action == FAULT_FIELD)
            field_change(bhs, spec);
        if (spec->action == FAULT_STATUS || spec->action == FAULT_SENSE)
            faults->answer = spec;
        if (spec->action == FAULT_UNDONE)
            faults->lose = true;
        if (spec->action == FAULT_CORRUPT &&
            incoming_corrupt(conn, bhs, payload, payload_len, spec->part) == FAULT_BAD_HEADER)
            verdict = FAULT_BAD_HEADER;
    }
    return verdict;
}

bool target_fault_answer(struct iskra_target_conn *conn, struct target_task *task)
{
    const struct fault_spec *spec = conn->faults.answer;
    if (!spec)
        return false;
    if (spec->action == FAULT_SENSE)
        target_task_refuse(task, spec->key, spec->asc, spec->ascq);
    else
        task->status = spec->status;
    return true;
}

void target_fault_taken(struct iskra_target_conn *conn)
{
    conn->faults.judge_next = true;
    conn->faults.answer = NULL;
    conn->faults.lose = false;
}

/* ---- what goes out ---- */

enum fault_verdict target_fault_outgoing(struct iskra_target_conn *conn, struct out_pdu *pdu,
                                         const struct target_task *task)
{
    struct target_conn_faults *faults = &conn->faults;
    if (faults->closing)
        return FAULT_LOSE;
    struct sight sight = {.opcode = iskra_bhs_opcode(pdu->bhs), .payload_len = pdu->payload_len};
    if (task)
        cdb_see(&sight, task->cdb.opcode, task->cdb.service_action);
    uint64_t due = faults->due_out = judge(conn, &sight);
    for (unsigned i = 0; due != 0; i++, due >>= 1) {
        const struct fault_spec *spec = &conn->target->faults.all[i].spec;
        if (!(due & 1))
            continue;
        uint64_t until_ns = later(conn, spec->time_ns);
        if (spec->action == FAULT_CLOSE) {
            close_begin(conn);
            return FAULT_LOSE;
        }
        if (spec->action == FAULT_DROP)
            return FAULT_LOSE;
        if (spec->action == FAULT_STALL && until_ns > faults->stall_ns)
            faults->stall_ns = until_ns;
        if (spec->action == FAULT_DELAY && until_ns > pdu->release_ns)
            pdu->release_ns = until_ns;
    }
    return FAULT_PASS;
}

static void header_digest_again(struct out_pdu *pdu)
{
    if (pdu->header_len == ISKRA_BHS_LEN)
        return;
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, pdu->bhs, ISKRA_BHS_LEN);
    iskra_crc32c_put(pdu->bhs + ISKRA_BHS_LEN, iskra_crc32c_finish(crc));
}

static void outgoing_corrupt(struct out_pdu *pdu, enum fault_part part)
{
    bool data_digest = pdu->tail_len >= ISKRA_DIGEST_LEN;
    if (part == FAULT_PART_HEADER)
        pdu->bhs[ITT_AT] ^= 0x40;
    else if (part == FAULT_PART_DATA)
        pdu->room[pdu->payload_len / 2] ^= 0x40;
    else if (data_digest && part != FAULT_PART_HEADER_DIGEST)
        pdu->tail[pdu->tail_len - 1] ^= 0x40;
    else
        pdu->bhs[ISKRA_BHS_LEN] ^= 0x40;
}

void target_fault_committed(struct iskra_target_conn *conn, struct out_pdu *pdu)
{
    const struct target_fault *all = conn->target->faults.all;
    if (conn->faults.due_out == 0)
        return;
    uint64_t due = conn->faults.due_out;
    for (unsigned i = 0; due != 0; i++, due >>= 1)
        if ((due & 1) && all[i].spec.action == FAULT_FIELD)
            field_change(pdu->bhs, &all[i].spec);
    header_digest_again(pdu); /* a wrong field has a right digest */
    due = conn->faults.due_out;
    for (unsigned i = 0; due != 0; i++, due >>= 1)
        if ((due & 1) && all[i].spec.action == FAULT_CORRUPT)
            outgoing_corrupt(pdu, all[i].spec.part);
}

/* ---- time, and the end ---- */

bool target_fault_stalled(const struct iskra_target_conn *conn)
{
    return conn->now_ns < conn->faults.stall_ns;
}

void target_fault_close(struct iskra_target_conn *conn)
{
    if (conn->faults.closing)
        target_conn_enter(conn, CONN_CLOSING);
}

uint64_t target_fault_deadline(const struct iskra_target_conn *conn, uint64_t deadline_ns)
{
    if (target_fault_stalled(conn)) /* it does not even notice that nobody logs in */
        return conn->faults.stall_ns;
    uint64_t waits[] = {conn->faults.take_ns, target_out_release_ns(&conn->out, conn->now_ns)};
    for (unsigned i = 0; i < 2; i++)
        if (waits[i] > conn->now_ns && waits[i] < deadline_ns)
            deadline_ns = waits[i];
    return deadline_ns;
}
