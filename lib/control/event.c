/* Names of the control interface's messages and parameters. */
#include "control/event.h"

const char *iskra_uevent_name(enum iskra_uevent_type type)
{
    switch (type) {
    case ISKRA_UEVENT_CREATE_SESSION:
    case ISKRA_KEVENT_CREATE_SESSION:
        return "CREATE_SESSION";
    case ISKRA_UEVENT_DESTROY_SESSION:
    case ISKRA_KEVENT_DESTROY_SESSION:
        return "DESTROY_SESSION";
    case ISKRA_UEVENT_CREATE_CONN:
        return "CREATE_CONN";
    case ISKRA_UEVENT_DESTROY_CONN:
        return "DESTROY_CONN";
    case ISKRA_UEVENT_BIND_CONN:
        return "BIND_CONN";
    case ISKRA_UEVENT_SET_PARAM:
        return "SET_PARAM";
    case ISKRA_UEVENT_START_CONN:
        return "START_CONN";
    case ISKRA_UEVENT_STOP_CONN:
        return "STOP_CONN";
    case ISKRA_UEVENT_SEND_PDU:
        return "SEND_PDU";
    case ISKRA_UEVENT_GET_STATS:
        return "GET_STATS";
    case ISKRA_KEVENT_RECV_PDU:
        return "RECV_PDU";
    case ISKRA_KEVENT_CONN_ERROR:
        return "CONN_ERROR";
    case ISKRA_KEVENT_IF_ERROR:
        return "IF_ERROR";
    }
    return "?";
}

const char *const iskra_param_names[ISKRA_PARAM_CNT] = {
    [ISKRA_PARAM_MAX_RECV_DLENGTH] = "MAX_RECV_DLENGTH",
    [ISKRA_PARAM_MAX_XMIT_DLENGTH] = "MAX_XMIT_DLENGTH",
    [ISKRA_PARAM_HDRDGST_EN] = "HDRDGST_EN",
    [ISKRA_PARAM_DATADGST_EN] = "DATADGST_EN",
    [ISKRA_PARAM_INITIAL_R2T_EN] = "INITIAL_R2T_EN",
    [ISKRA_PARAM_MAX_R2T] = "MAX_R2T",
    [ISKRA_PARAM_IMM_DATA_EN] = "IMM_DATA_EN",
    [ISKRA_PARAM_FIRST_BURST] = "FIRST_BURST",
    [ISKRA_PARAM_MAX_BURST] = "MAX_BURST",
    [ISKRA_PARAM_PDU_INORDER_EN] = "PDU_INORDER_EN",
    [ISKRA_PARAM_DATASEQ_INORDER_EN] = "DATASEQ_INORDER_EN",
    [ISKRA_PARAM_ERL] = "ERL",
    [ISKRA_PARAM_EXP_STATSN] = "EXP_STATSN",
    [ISKRA_PARAM_TPGT] = "TPGT",
    [ISKRA_PARAM_PING_TMO] = "PING_TMO",
    [ISKRA_PARAM_RECV_TMO] = "RECV_TMO",
    [ISKRA_PARAM_ABORT_TMO] = "ABORT_TMO",
    [ISKRA_PARAM_LU_RESET_TMO] = "LU_RESET_TMO",
    [ISKRA_PARAM_TGT_RESET_TMO] = "TGT_RESET_TMO",
    [ISKRA_PARAM_SESS_RECOVERY_TMO] = "SESS_RECOVERY_TMO",
    [ISKRA_PARAM_FAST_ABORT] = "FAST_ABORT",
    [ISKRA_PARAM_DISCOVERY_SESS] = "DISCOVERY_SESS",
};
