/* Building PDUs in a task's header, at the moment they are sent: only then are CmdSN and ExpStatSN
 * known. */
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

#define AHS_TYPE_EXTENDED_CDB 1u

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

/* RFC 7143 11.3. A read or a command without data is final. A write's immediate data would be
 * counted here (data_len), its unsolicited Data-Out would clear F; until they are, no command that
 * writes may leave. */
int iskra_prep_scsi_cmd_pdu(struct iskra_task *task, uint32_t *ret_hdr_len)
{
    struct iskra_session *s = task->session;
    const struct iskra_cmnd *cmd = task->cmd;
    ISKRA_STEP(&s->round->trace, PREP_SCSI_CMD_PDU, cmd->cdb[0]);
    if (cmd->dir == ISKRA_DIR_WRITE && cmd->transfer_len > 0)
        return iskra_session_fail(s, ISKRA_E_USAGE, EOPNOTSUPP,
                                  "command 0x%02x would write %u bytes: this session only reads",
                                  cmd->cdb[0], cmd->transfer_len);
    uint32_t ahs_len = 0;
    if (cmd->cdb_len > ISKRA_CDB_BHS_LEN)
        ahs_len = extended_cdb_put(task->hdr + ISKRA_BHS_LEN, cmd->cdb, cmd->cdb_len);
    struct iskra_pdu_scsi_cmd pdu = {
        .final = true,
        .read = cmd->dir == ISKRA_DIR_READ && cmd->transfer_len > 0,
        .attr = ISKRA_ATTR_SIMPLE,
        .ahs_words = (uint8_t)(ahs_len / 4),
        .lun = cmd->lun,
        .itt = task->tcp.itt,
        .edtl = cmd->transfer_len,
        .cmd_sn = s->window.cmd_sn,
        .exp_stat_sn = task->conn->exp_stat_sn,
    };
    memcpy(pdu.cdb, cmd->cdb, ahs_len > 0 ? ISKRA_CDB_BHS_LEN : cmd->cdb_len);
    iskra_scsi_cmd_encode(&pdu, task->hdr);
    iskra_task_run(task, s->window.cmd_sn++);
    *ret_hdr_len = ISKRA_BHS_LEN + ahs_len;
    return 0;
}

static bool keeps_its_exp_stat_sn(uint8_t opcode)
{
    return opcode == ISKRA_OP_LOGIN || opcode == ISKRA_OP_TEXT;
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
    if (!keeps_its_exp_stat_sn(task->opcode))
        iskra_put_be32(task->hdr + 28, task->conn->exp_stat_sn);
    if (task->opcode == ISKRA_OP_LOGOUT && s->state == ISKRA_SESSION_LOGGED_IN)
        iskra_session_set_state(s, ISKRA_SESSION_LOGGING_OUT);
    iskra_task_run(task, s->window.cmd_sn);
    if (task->takes_cmd_sn)
        s->window.cmd_sn++;
    return 0;
}
