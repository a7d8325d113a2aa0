/* Words for the numbers of RFC 7143 and SAM, for errors, traces and people. */
#include "wire/bhs.h"

#include <stddef.h>

struct name {
    unsigned value;
    const char *text;
};

static const char *name_find(const struct name *names, size_t cnt, unsigned value)
{
    for (size_t i = 0; i < cnt; i++)
        if (names[i].value == value)
            return names[i].text;
    return "?";
}
#define NAME_FIND(names, value) name_find(names, sizeof(names) / sizeof((names)[0]), value)

const char *iskra_opcode_name(uint8_t opcode)
{
    static const struct name names[] = {
        {ISKRA_OP_NOP_OUT, "NOP-Out"},
        {ISKRA_OP_SCSI_CMD, "SCSI Command"},
        {ISKRA_OP_TMF, "Task Management Request"},
        {ISKRA_OP_LOGIN, "Login Request"},
        {ISKRA_OP_TEXT, "Text Request"},
        {ISKRA_OP_DATA_OUT, "Data-Out"},
        {ISKRA_OP_LOGOUT, "Logout Request"},
        {ISKRA_OP_SNACK, "SNACK Request"},
        {ISKRA_OP_NOP_IN, "NOP-In"},
        {ISKRA_OP_SCSI_RSP, "SCSI Response"},
        {ISKRA_OP_TMF_RSP, "Task Management Response"},
        {ISKRA_OP_LOGIN_RSP, "Login Response"},
        {ISKRA_OP_TEXT_RSP, "Text Response"},
        {ISKRA_OP_DATA_IN, "Data-In"},
        {ISKRA_OP_LOGOUT_RSP, "Logout Response"},
        {ISKRA_OP_R2T, "R2T"},
        {ISKRA_OP_ASYNC, "Async Message"},
        {ISKRA_OP_REJECT, "Reject"},
    };
    return NAME_FIND(names, opcode);
}

const char *iskra_tmf_function_name(uint8_t function)
{
    static const struct name names[] = {
        {ISKRA_TMF_ABORT_TASK, "ABORT TASK"},
        {ISKRA_TMF_ABORT_TASK_SET, "ABORT TASK SET"},
        {ISKRA_TMF_CLEAR_ACA, "CLEAR ACA"},
        {ISKRA_TMF_CLEAR_TASK_SET, "CLEAR TASK SET"},
        {ISKRA_TMF_LUN_RESET, "LOGICAL UNIT RESET"},
        {ISKRA_TMF_TARGET_WARM_RESET, "TARGET WARM RESET"},
        {ISKRA_TMF_TARGET_COLD_RESET, "TARGET COLD RESET"},
        {ISKRA_TMF_TASK_REASSIGN, "TASK REASSIGN"},
    };
    return NAME_FIND(names, function);
}

const char *iskra_tmf_response_name(uint8_t response)
{
    static const struct name names[] = {
        {ISKRA_TMF_RESPONSE_COMPLETE, "function complete"},
        {ISKRA_TMF_RESPONSE_NO_TASK, "task does not exist"},
        {ISKRA_TMF_RESPONSE_NO_LUN, "LUN does not exist"},
        {ISKRA_TMF_RESPONSE_TASK_ALLEGIANT, "task still allegiant"},
        {ISKRA_TMF_RESPONSE_NO_REASSIGNMENT, "task allegiance reassignment not supported"},
        {ISKRA_TMF_RESPONSE_NOT_SUPPORTED, "function not supported"},
        {ISKRA_TMF_RESPONSE_NOT_AUTHORIZED, "function authorization failed"},
        {ISKRA_TMF_RESPONSE_REJECTED, "function rejected"},
    };
    return NAME_FIND(names, response);
}

/* RFC 7143 11.17.1 */
const char *iskra_reject_reason_name(uint8_t reason)
{
    static const struct name names[] = {
        {0x02, "data digest error"},        {0x03, "SNACK reject"},
        {0x04, "protocol error"},           {0x05, "command not supported"},
        {0x06, "immediate command reject"}, {0x07, "task in progress"},
        {0x08, "invalid data ack"},         {0x09, "invalid PDU field"},
        {0x0a, "long operation reject"},    {0x0b, "negotiation reset"},
        {0x0c, "waiting for logout"},
    };
    return NAME_FIND(names, reason);
}

/* RFC 7143 11.13.5 */
const char *iskra_login_status_name(uint8_t status_class, uint8_t status_detail)
{
    static const struct name names[] = {
        {0x0000, "success"},
        {0x0101, "target moved temporarily"},
        {0x0102, "target moved permanently"},
        {0x0200, "initiator error"},
        {0x0201, "authentication failure"},
        {0x0202, "authorization failure"},
        {0x0203, "target not found"},
        {0x0204, "target removed"},
        {0x0205, "unsupported version"},
        {0x0206, "too many connections"},
        {0x0207, "missing parameter"},
        {0x0208, "cannot include in session"},
        {0x0209, "session type not supported"},
        {0x020a, "session does not exist"},
        {0x020b, "invalid request during login"},
        {0x0300, "target error"},
        {0x0301, "service unavailable"},
        {0x0302, "out of resources"},
    };
    return NAME_FIND(names, (unsigned)status_class << 8 | status_detail);
}

const char *iskra_scsi_status_name(uint8_t status)
{
    static const struct name names[] = {
        {0x00, "GOOD"},       {0x02, "CHECK CONDITION"},      {0x04, "CONDITION MET"},
        {0x08, "BUSY"},       {0x18, "RESERVATION CONFLICT"}, {0x28, "TASK SET FULL"},
        {0x30, "ACA ACTIVE"}, {0x40, "TASK ABORTED"},
    };
    return NAME_FIND(names, status);
}

const char *iskra_sense_key_name(uint8_t key)
{
    static const char *const names[16] = {
        "NO SENSE",
        "RECOVERED ERROR",
        "NOT READY",
        "MEDIUM ERROR",
        "HARDWARE ERROR",
        "ILLEGAL REQUEST",
        "UNIT ATTENTION",
        "DATA PROTECT",
        "BLANK CHECK",
        "VENDOR SPECIFIC",
        "COPY ABORTED",
        "ABORTED COMMAND",
        "?", /* 0xc is obsolete */
        "VOLUME OVERFLOW",
        "MISCOMPARE",
        "COMPLETED",
    };
    return key < 16 ? names[key] : "?";
}
