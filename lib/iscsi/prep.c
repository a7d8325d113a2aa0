/* Building PDUs in a task's header, at the moment they are sent: only then are CmdSN and ExpStatSN
 * known. */
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/ping.h"
#include "iscsi/session.h"

#define AHS_TYPE_EXTENDED_CDB 1u
#define CDB_AT                32u /* in the header (RFC 7143 11.3) */

/* RFC 7143 11.2.2.2: the CDB's bytes beyond 16 in an AHS. AHSLength counts one reserved byte and
 * them. Returns the AHS's bytes with its padding. */
static uint32_t extended_cdb_put(uint8_t *ahs, const uint8_t *cdb, uint32_t cdb_len)
{
    uint32_t rest_len = cdb_len - ISKRA_CDB_BHS_LEN;
    uint32_t ahs_len = 4 + rest_len + iskra_pad_len(rest_len);
    memset(ahs, 0, ahs_len);
    iskra_put_be16(ahs, (uint16_t)(rest_len + 1));
    ahs[2] = AHS_TYPE_EXTENDED_CDB;
    memcpy(ahs + 4, cdb + ISKRA_CDB_BHS_LEN, rest_len);
    return ahs_len;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Data in the command PDU itself (RFC 7143 13.11): as much as one PDU and the first burst may hold.
 */
static uint32_t immediate_len(const struct iskra_session_params *p, uint32_t transfer_len)
{
    if (!p->immediate_data)
        return 0;
    return smaller(transfer_len, smaller(p->first_burst_len, p->max_xmit_data_len));
}

/* What a write sends on its own account (RFC 7143 13.10, 13.14): immediate data, and without
 * InitialR2T the rest of the first burst in Data-Out PDUs that follow the command. Returns the
 * first; the second is the task's sequence of unsolicited data. */
static uint32_t first_burst_plan(struct iskra_task *task)
{
    const struct iskra_session_params *p = &task->session->params;
    uint32_t transfer_len = task->cmd->transfer_len;
    uint32_t immediate = immediate_len(p, transfer_len);
    uint32_t burst_len = p->initial_r2t ? immediate : smaller(p->first_burst_len, transfer_len);
    task->tcp.unsolicited = (struct iskra_r2t){
        .ttt = ISKRA_RESERVED_TAG,
        .offset = immediate,
        .desired_len = burst_len - immediate,
    };
    return immediate;
}

/* RFC 7143 11.3. F says that no unsolicited Data-Out follows; DataSegmentLength of a write counts
 * its immediate data. */
uint8_t *iskra_prep_scsi_cmd_pdu(struct iskra_task *task, uint32_t *ret_hdr_len)
{
    struct iskra_session *s = task->session;
    struct iskra_cmnd *cmd = task->cmd;
    ISKRA_STEP(&s->round->trace, PREP_SCSI_CMD_PDU, cmd->cdb[0]);
    cmd->sent = true;
    bool extended = cmd->cdb_len > ISKRA_CDB_BHS_LEN;
    uint8_t *hdr =
        extended ? iskra_tcp_xmit_long_hdr(&task->conn->tcp) : iskra_tcp_xmit_hdr(&task->conn->tcp);
    uint32_t ahs_len = extended ? extended_cdb_put(hdr + ISKRA_BHS_LEN, cmd->cdb, cmd->cdb_len) : 0;
    bool write = cmd->dir == ISKRA_DIR_WRITE && cmd->transfer_len > 0;
    uint32_t immediate = write ? first_burst_plan(task) : 0;
    struct iskra_pdu_scsi_cmd pdu = {
        .final = task->tcp.unsolicited.desired_len == 0,
        .read = cmd->dir == ISKRA_DIR_READ && cmd->transfer_len > 0,
        .write = write,
        .attr = ISKRA_ATTR_SIMPLE,
        .ahs_words = (uint8_t)(ahs_len / 4),
        .data_len = immediate,
        .lun = cmd->lun,
        .itt = task->tcp.itt,
        .edtl = cmd->transfer_len,
        .cmd_sn = s->window.cmd_sn,
        .exp_stat_sn = task->conn->exp_stat_sn,
    };
    iskra_scsi_cmd_encode(&pdu, hdr);
    /* Not by way of pdu.cdb: copied on at once, it would have to be waited for. */
    memcpy(hdr + CDB_AT, cmd->cdb, extended ? ISKRA_CDB_BHS_LEN : cmd->cdb_len);
    task->tcp.sent_len = immediate;
    iskra_task_run(task, s->window.cmd_sn++);
    *ret_hdr_len = ISKRA_BHS_LEN + ahs_len;
    return hdr;
}

uint32_t iskra_cmd_immediate_len(const struct iskra_task *task)
{
    const struct iskra_cmnd *cmd = task->cmd;
    return cmd->dir == ISKRA_DIR_WRITE ? immediate_len(&task->session->params, cmd->transfer_len)
                                       : 0;
}

uint32_t iskra_data_out_len(const struct iskra_task *task, const struct iskra_r2t *r2t)
{
    return smaller(r2t->desired_len - r2t->sent_len, task->session->params.max_xmit_data_len);
}

/* RFC 7143 11.7: the tag and LUN of the R2T it answers; both are reserved where there is none.
 * ExpStatSN acknowledges what has arrived by now, not by the time of the R2T. */
uint32_t iskra_prep_data_out_pdu(const struct iskra_task *task, const struct iskra_r2t *r2t,
                                 uint8_t *hdr)
{
    uint32_t len = iskra_data_out_len(task, r2t);
    ISKRA_STEP(&task->session->round->trace, PREP_DATA_OUT_PDU, len);
    struct iskra_pdu_data_out pdu = {
        .final = r2t->sent_len + len == r2t->desired_len,
        .data_len = len,
        .lun = r2t->lun,
        .itt = task->tcp.itt,
        .ttt = r2t->ttt,
        .exp_stat_sn = task->conn->exp_stat_sn,
        .data_sn = r2t->data_sn,
        .offset = r2t->offset + r2t->sent_len,
    };
    iskra_data_out_encode(&pdu, hdr);
    return len;
}

/* The header came from the control plane (mgmt.c); here it gets its serial numbers, which lie in
 * the same place in all of these requests. An immediate PDU shows the current CmdSN without using
 * it up (RFC 7143 4.2.2.1). */
int iskra_prep_mgmt_pdu(struct iskra_task *task)
{
    struct iskra_session *s = task->session;
    ISKRA_STEP(&s->round->trace, PREP_MGMT_PDU, task->opcode);
    /* RFC 7143 11.14: after a Logout Request nothing more is sent. */
    if (s->state == ISKRA_SESSION_LOGGING_OUT)
        return -ENOTCONN;
    iskra_put_be32(task->hdr + 24, s->window.cmd_sn);
    if (task->opcode != ISKRA_OP_LOGIN)
        iskra_put_be32(task->hdr + 28, task->conn->exp_stat_sn);
    if (task->opcode == ISKRA_OP_LOGOUT && s->state == ISKRA_SESSION_LOGGED_IN)
        iskra_session_set_state(s, ISKRA_SESSION_LOGGING_OUT);
    iskra_task_run(task, s->window.cmd_sn);
    if (task->ping != NULL)
        iskra_ping_sent(task->ping);
    if (task->takes_cmd_sn)
        s->window.cmd_sn++;
    return 0;
}
