/* SET_PARAM: one negotiated or configured value, its range, and where it goes. Nothing takes effect
 * before START_CONN. */
#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "iscsi/class.h"
#include "wire/bhs.h"

#define TIME_MAX_NS (INT64_MAX / 4) /* so that "now" can be added to it */
#define R2T_MAX     64u             /* decision 40: what is set aside for each task at most */

struct range {
    int64_t min, max;
};

/* RFC 7143 13 for the keys; nanoseconds for the timeouts. */
static const struct range ranges[ISKRA_PARAM_CNT] = {
    [ISKRA_PARAM_MAX_RECV_DLENGTH] = {512, ISKRA_DSL_MAX},
    [ISKRA_PARAM_MAX_XMIT_DLENGTH] = {512, ISKRA_DSL_MAX},
    [ISKRA_PARAM_HDRDGST_EN] = {0, 1},
    [ISKRA_PARAM_DATADGST_EN] = {0, 1},
    [ISKRA_PARAM_INITIAL_R2T_EN] = {0, 1},
    [ISKRA_PARAM_MAX_R2T] = {1, 65535},
    [ISKRA_PARAM_IMM_DATA_EN] = {0, 1},
    [ISKRA_PARAM_FIRST_BURST] = {512, ISKRA_DSL_MAX},
    [ISKRA_PARAM_MAX_BURST] = {512, ISKRA_DSL_MAX},
    [ISKRA_PARAM_PDU_INORDER_EN] = {0, 1},
    [ISKRA_PARAM_DATASEQ_INORDER_EN] = {0, 1},
    [ISKRA_PARAM_ERL] = {0, 2},
    [ISKRA_PARAM_EXP_STATSN] = {0, UINT32_MAX},
    [ISKRA_PARAM_TPGT] = {0, UINT16_MAX},
    [ISKRA_PARAM_PING_TMO] = {0, TIME_MAX_NS},
    [ISKRA_PARAM_RECV_TMO] = {0, TIME_MAX_NS},
    [ISKRA_PARAM_ABORT_TMO] = {0, TIME_MAX_NS},
    [ISKRA_PARAM_LU_RESET_TMO] = {0, TIME_MAX_NS},
    [ISKRA_PARAM_TGT_RESET_TMO] = {0, TIME_MAX_NS},
    [ISKRA_PARAM_SESS_RECOVERY_TMO] = {INT64_MIN, TIME_MAX_NS},
    [ISKRA_PARAM_FAST_ABORT] = {0, 1},
    [ISKRA_PARAM_DISCOVERY_SESS] = {0, 1},
};

int iskra_class_set_param(struct iskra_session_params *p, enum iskra_param param, int64_t value,
                          struct iskra_error *err)
{
    if ((unsigned)param >= ISKRA_PARAM_CNT)
        return iskra_fail(err, ISKRA_E_USAGE, ENOSYS, "SET_PARAM: no parameter %u",
                          (unsigned)param);
    if (value < ranges[param].min || value > ranges[param].max)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "SET_PARAM: parameter %u may be %" PRId64 " to %" PRId64 ", not %" PRId64,
                          (unsigned)param, ranges[param].min, ranges[param].max, value);
    uint32_t u = (uint32_t)value;
    switch (param) {
    case ISKRA_PARAM_MAX_RECV_DLENGTH:
        p->max_recv_data_len = u;
        break;
    case ISKRA_PARAM_MAX_XMIT_DLENGTH:
        p->max_xmit_data_len = u;
        break;
    case ISKRA_PARAM_HDRDGST_EN:
        p->hdr_digest = u != 0;
        break;
    case ISKRA_PARAM_DATADGST_EN:
        p->data_digest = u != 0;
        break;
    case ISKRA_PARAM_INITIAL_R2T_EN:
        p->initial_r2t = u != 0;
        break;
    case ISKRA_PARAM_MAX_R2T:
        p->max_outstanding_r2t = u < R2T_MAX ? u : R2T_MAX;
        break;
    case ISKRA_PARAM_IMM_DATA_EN:
        p->immediate_data = u != 0;
        break;
    case ISKRA_PARAM_FIRST_BURST:
        p->first_burst_len = u;
        break;
    case ISKRA_PARAM_MAX_BURST:
        p->max_burst_len = u;
        break;
    case ISKRA_PARAM_PDU_INORDER_EN:
        p->data_pdu_in_order = u != 0;
        break;
    case ISKRA_PARAM_DATASEQ_INORDER_EN:
        p->data_sequence_in_order = u != 0;
        break;
    case ISKRA_PARAM_ERL:
        p->error_recovery_level = (uint8_t)u;
        break;
    case ISKRA_PARAM_EXP_STATSN:
        p->exp_stat_sn = u;
        break;
    case ISKRA_PARAM_TPGT:
        p->tpgt = (uint16_t)u;
        break;
    case ISKRA_PARAM_PING_TMO:
        p->ping_timeout_ns = (uint64_t)value;
        break;
    case ISKRA_PARAM_RECV_TMO:
        p->recv_timeout_ns = (uint64_t)value;
        break;
    case ISKRA_PARAM_ABORT_TMO:
        p->abort_timeout_ns = (uint64_t)value;
        break;
    case ISKRA_PARAM_LU_RESET_TMO:
        p->lu_reset_timeout_ns = (uint64_t)value;
        break;
    case ISKRA_PARAM_TGT_RESET_TMO:
        p->tgt_reset_timeout_ns = (uint64_t)value;
        break;
    case ISKRA_PARAM_SESS_RECOVERY_TMO:
        p->replacement_timeout_ns = value;
        break;
    case ISKRA_PARAM_FAST_ABORT:
        p->fast_abort = u != 0;
        break;
    case ISKRA_PARAM_DISCOVERY_SESS:
        p->discovery = u != 0;
        break;
    case ISKRA_PARAM_CNT:
        break;
    }
    return 0;
}
