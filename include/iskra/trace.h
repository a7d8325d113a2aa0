/* The trace: what the stack did, in the words of the notes.
 *
 * Two levels. Always on: one record per PDU and per state change, stamped with the round's time,
 * kept in a ring of the initiator (struct iskra). On request: one record on entering and one on
 * leaving each step, stamped with the real time. `iskra trace` prints the second kind as a call
 * tree. Records are plain data and may be copied. */
#ifndef ISKRA_TRACE_H
#define ISKRA_TRACE_H

#include <stdint.h>

#include <iskra/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum iskra_trace_kind {
    ISKRA_TRACE_PDU_IN = 1,  /* what = opcode; a = DataSegmentLength; b, c = see below; itt */
    ISKRA_TRACE_PDU_OUT = 2, /* the same, as sent */
    ISKRA_TRACE_STATE = 3,   /* what = enum iskra_trace_machine; a = from, b = to */
    ISKRA_TRACE_ERROR = 4,   /* what = connection error 1001..1022 */
    ISKRA_TRACE_ENTER = 5,   /* what = enum iskra_step; a = the step's detail */
    ISKRA_TRACE_LEAVE = 6,   /* what = enum iskra_step */
};
/* PDU records: b is StatSN for a PDU that came in, CmdSN for one that went out; c is DataSN, R2TSN,
 * or 0. */

struct iskra_trace_record {
    uint64_t time_ns; /* platform clock */
    uint16_t kind;    /* enum iskra_trace_kind */
    uint16_t what;
    uint16_t sid;  /* session number inside the initiator; 0 = none */
    uint8_t depth; /* nesting of ENTER / LEAVE */
    uint8_t flags; /* PDU records: byte 1 of the header (F, S, U, O, ... bits) */
    uint32_t itt;  /* PDU records: tag as on the wire; else 0 */
    uint32_t a, b, c;
};

/* Every step, in the order of the stack: id, name (the notes' name, prefix aside), layer, the
 * notes' fragments it stands for, what its detail `a` counts ("" = nothing). The list only grows at
 * its end within a release series. */
#define ISKRA_STEPS(X)                                                                             \
    X(CREATE_SESSION, "create_session", "class", "", "sid")                                        \
    X(CREATE_CONN, "create_conn", "class", "", "cid")                                              \
    X(BIND_CONN, "bind_conn", "class", "F1 F2 F4", "cid")                                          \
    X(CONN_BIND, "conn_bind", "transport", "F3 F5 F6", "")                                         \
    X(SET_CALLBACKS, "set_callbacks", "transport", "F7", "")                                       \
    X(SET_PARAM, "set_param", "class", "", "param")                                                \
    X(START_CONN, "start_conn", "class", "", "cid")                                                \
    X(STOP_CONN, "stop_conn", "class", "", "flag")                                                 \
    X(SEND_PDU, "send_pdu", "class", "", "opcode")                                                 \
    X(RECV_PDU, "recv_pdu", "class", "F28", "opcode")                                              \
    X(CONN_FAILURE, "conn_failure", "iscsi", "", "error")                                          \
    X(LOGIN_REQUEST, "login_request", "control", "", "csg")                                        \
    X(LOGIN_RESPONSE, "login_response", "control", "", "class")                                    \
    X(DATA_READY, "data_ready", "transport", "F9", "")                                             \
    X(STATE_CHANGE, "state_change", "transport", "F7", "")                                         \
    X(WRITE_SPACE, "write_space", "transport", "F7", "")                                           \
    X(READ_SOCK, "read_sock", "transport", "F9", "")                                               \
    X(RECV, "recv", "tcp", "F9 F10 F11", "bytes")                                                  \
    X(RECV_BUF, "recv_buf", "tcp", "F10 F12 F13 F14", "bytes")                                     \
    X(SEGMENT_RECV, "segment_recv", "tcp", "F16 F17", "bytes")                                     \
    X(SEGMENT_DONE, "segment_done", "tcp", "F20", "bytes")                                         \
    X(INIT_LINEAR, "init_linear", "tcp", "F18 F27", "bytes")                                       \
    X(SEEK_SG, "seek_sg", "tcp", "", "offset")                                                     \
    X(HDR_RECV_PREP, "hdr_recv_prep", "tcp", "F8 F18", "")                                         \
    X(HDR_RECV_DONE, "hdr_recv_done", "tcp", "F19 F21", "")                                        \
    X(HDR_DISSECT, "hdr_dissect", "tcp", "F22 F23 F30", "opcode")                                  \
    X(VERIFY_ITT, "verify_itt", "iscsi", "F25", "")                                                \
    X(ITT_TO_TASK, "itt_to_task", "iscsi", "F25", "")                                              \
    X(ITT_TO_CTASK, "itt_to_ctask", "iscsi", "F25", "")                                            \
    X(DATA_RECV_PREP, "data_recv_prep", "tcp", "F26", "bytes")                                     \
    X(DATA_RECV_DONE, "data_recv_done", "tcp", "F29", "")                                          \
    X(PROCESS_DATA_IN, "process_data_in", "tcp", "", "")                                           \
    X(R2T_RSP, "r2t_rsp", "tcp", "", "bytes")                                                      \
    X(COMPLETE_PDU, "complete_pdu", "iscsi", "F28 F31 F32", "opcode")                              \
    X(COMPLETE_TASK, "complete_task", "iscsi", "F32", "")                                          \
    X(QUEUECOMMAND, "queuecommand", "iscsi", "", "")                                               \
    X(XMITWORKER, "xmitworker", "iscsi", "", "")                                                   \
    X(PREP_SCSI_CMD_PDU, "prep_scsi_cmd_pdu", "iscsi", "", "cdb")                                  \
    X(PREP_MGMT_PDU, "prep_mgmt_pdu", "iscsi", "", "opcode")                                       \
    X(XMIT_TASK, "xmit_task", "tcp", "", "")                                                       \
    X(PDU_XMIT, "pdu_xmit", "transport", "", "bytes")                                              \
    X(ALLOC_SDEV, "alloc_sdev", "scsi", "F44", "")                                                 \
    X(ALLOC_QUEUE, "alloc_queue", "scsi", "F37 F44", "")                                           \
    X(EXECUTE_RQ_NOWAIT, "execute_rq_nowait", "block", "F45", "")                                  \
    X(RUN_QUEUE, "run_queue", "block", "F45", "")                                                  \
    X(RUN_QUEUE_UNCOND, "run_queue_uncond", "block", "F45", "")                                    \
    X(REQUEST_FN, "request_fn", "scsi", "F45 F46", "")                                             \
    X(START_REQUEST, "start_request", "block", "F46", "")                                          \
    X(ADD_TIMER, "add_timer", "block", "F46", "")                                                  \
    X(DISPATCH_CMD, "dispatch_cmd", "scsi", "F46", "cdb")                                          \
    X(SCSI_DONE, "scsi_done", "scsi", "", "")                                                      \
    X(COMPLETE_REQUEST, "complete_request", "block", "", "")                                       \
    X(SOFTIRQ_DONE, "softirq_done", "scsi", "", "")                                                \
    X(DECIDE_DISPOSITION, "decide_disposition", "scsi", "", "")                                    \
    X(FINISH_COMMAND, "finish_command", "scsi", "", "")                                            \
    X(IO_COMPLETION, "io_completion", "scsi", "", "bytes")                                         \
    X(DONE, "done", "api", "", "")                                                                 \
    X(RQ_TIMED_OUT_TIMER, "rq_timed_out_timer", "block", "F34", "")                                \
    X(TIMEOUT_WORK, "timeout_work", "block", "F33 F35", "")                                        \
    X(CHECK_EXPIRED, "check_expired", "block", "F36", "")                                          \
    X(RQ_TIMED_OUT, "rq_timed_out", "block", "F36 F37", "")                                        \
    X(TIMES_OUT, "times_out", "scsi", "F37 F38 F39 F40", "")                                       \
    X(EH_CMD_TIMED_OUT, "eh_cmd_timed_out", "iscsi", "F40", "row")                                 \
    X(EH_HANDLED, "eh_handled", "block", "F41", "")                                                \
    X(EH_RESET_TIMER, "eh_reset_timer", "block", "F42", "")                                        \
    X(EH_NOT_HANDLED, "eh_not_handled", "block", "F43", "")                                        \
    X(PREP_DATA_OUT_PDU, "prep_data_out_pdu", "iscsi", "", "bytes")

#define ISKRA_STEP_ENUM(id, name, layer, notes, detail) ISKRA_STEP_##id,
enum iskra_step {
    ISKRA_STEPS(ISKRA_STEP_ENUM) ISKRA_STEP_CNT
};

/* State machines whose changes are traced. */
enum iskra_trace_machine {
    ISKRA_MACHINE_SESSION = 1, /* iscsi/session.h */
    ISKRA_MACHINE_CLASS = 2,   /* iscsi/class.h */
    ISKRA_MACHINE_CONN = 3,    /* control/initiator.h */
    ISKRA_MACHINE_DEVICE = 4,  /* scsi/device.h */
};

/* The always-on records, oldest first: copies at most `max` of the newest into `ret` and returns
 * how many. */
struct iskra;
ISKRA_PUBLIC unsigned iskra_trace_read(const struct iskra *ctx, struct iskra_trace_record *ret,
                                       unsigned max);

/* While fn is set each step calls it twice, with ENTER and LEAVE records, and each PDU and state
 * change once. fn must not call into the library. NULL ends it. */
ISKRA_PUBLIC void iskra_trace_steps(struct iskra *ctx,
                                    void (*fn)(void *arg, const struct iskra_trace_record *rec),
                                    void *arg);

/* Names of steps, layers and fragments ("F45 F46" or ""); static storage, "?" out of range. */
ISKRA_PUBLIC const char *iskra_step_name(unsigned step);
ISKRA_PUBLIC const char *iskra_step_layer(unsigned step);
ISKRA_PUBLIC const char *iskra_step_notes(unsigned step);
ISKRA_PUBLIC const char *iskra_step_detail(unsigned step);

/* What a detail's value is called: an opcode's, a CDB's, a parameter's name, a verdict's row; "" if
 * it is just a number. Static storage. */
ISKRA_PUBLIC const char *iskra_step_detail_word(unsigned step, uint32_t value);

/* One record as a line of text without a time and without a newline, NUL-terminated in buf; returns
 * buf. */
ISKRA_PUBLIC char *iskra_trace_format(const struct iskra_trace_record *rec, char *buf,
                                      unsigned size);

#ifdef __cplusplus
}
#endif
#endif
