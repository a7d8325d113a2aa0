/* Prints, as Markdown, what the code's tables and pure functions say: ARCHITECTURE.md ends with it,
 * and a test compares the two (tests/house/test_tables.py). */
#include <stdio.h>
#include <string.h>

#include "block/queue.h"
#include "iscsi/cmd.h"
#include "iscsi/session.h"
#include "scsi/device.h"
#include "scsi/disposition.h"
#include "scsi/eh_status.h"
#include "scsi/host.h"
#include "verdict.h"
#include "wire/cdb.h"

#define TEXT_LEN 160

/* ---- dispositions ---- */

static struct iskra_verdict_facts facts_of(uint8_t host_byte, uint8_t status)
{
    return (struct iskra_verdict_facts){.host_byte = host_byte,
                                        .status = status,
                                        .opcode = ISKRA_SCSI_READ_10,
                                        .device_online = true,
                                        .allowed = 5};
}

/* "NEEDS_RETRY, counted", "SUCCESS as DID_MEDIUM_ERROR" */
static const char *outcome(const struct iskra_verdict_facts *f, char text[TEXT_LEN])
{
    struct iskra_decision d = iskra_decide_disposition(f);
    int len = snprintf(text, TEXT_LEN, "%s", iskra_disposition_name(d.disposition));
    if (d.disposition == ISKRA_DISPOSITION_NEEDS_RETRY && d.retries > f->retries)
        len += snprintf(text + len, TEXT_LEN - (size_t)len, ", counted");
    if (d.host_byte != f->host_byte)
        snprintf(text + len, TEXT_LEN - (size_t)len, " as %s", iskra_host_byte_name(d.host_byte));
    return text;
}

/* The same when retries are used up, for who wants an early error, and for a caller's own CDB. */
static void outcomes_print(const char *what, struct iskra_verdict_facts f)
{
    char text[4][TEXT_LEN];
    outcome(&f, text[0]);
    f.retries = f.allowed;
    outcome(&f, text[1]);
    f.retries = 0;
    f.failfast = true;
    outcome(&f, text[2]);
    f.failfast = false;
    f.passthrough = true;
    outcome(&f, text[3]);
    printf("| %s | %s |", what, text[0]);
    for (unsigned i = 1; i < 4; i++)
        printf(" %s |", strcmp(text[i], text[0]) == 0 ? "same" : text[i]);
    printf("\n");
}

static void outcomes_begin(const char *title, const char *what)
{
    printf("\n### %s\n\n| %s | Disposition | No retry left | failfast | raw CDB |\n"
           "| --- | --- | --- | --- | --- |\n",
           title, what);
}

static void host_bytes_print(void)
{
    outcomes_begin("Host byte -> disposition (`decide_disposition`)", "Host byte");
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_RESET, ISKRA_STATUS_BUSY);
    f.device_online = false;
    outcomes_print("any, the device is not online", f);
    for (unsigned byte = 0; byte < 256; byte++) {
        const char *name = iskra_host_byte_name((uint8_t)byte);
        if (strcmp(name, "?") == 0)
            continue;
        if (byte == ISKRA_DID_OK) {
            printf("| DID_OK | by status | | | |\n");
            continue;
        }
        f = facts_of((uint8_t)byte, ISKRA_STATUS_GOOD);
        outcomes_print(name, f);
        if (byte == ISKRA_DID_TIME_OUT) {
            f.opcode = ISKRA_SCSI_INQUIRY;
            outcomes_print("DID_TIME_OUT of INQUIRY, TEST UNIT READY", f);
        } else if (byte == ISKRA_DID_ABORT) {
            f.abort_scheduled = true;
            outcomes_print("DID_ABORT, by the error handler", f);
        } else if (byte == ISKRA_DID_ERROR) {
            f.status = ISKRA_STATUS_RESERVATION_CONFLICT;
            outcomes_print("DID_ERROR with RESERVATION CONFLICT", f);
        }
    }
    outcomes_print("any other", facts_of(0x77, ISKRA_STATUS_GOOD));
}

static void statuses_print(void)
{
    outcomes_begin("Status -> disposition", "Status");
    for (unsigned status = 0; status < 256; status++) {
        char what[TEXT_LEN];
        const char *name = iskra_scsi_status_name((uint8_t)status);
        struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, (uint8_t)status);
        if (status == ISKRA_STATUS_CHECK_CONDITION) {
            printf("| CHECK CONDITION (02h) | by sense | | | |\n");
            outcomes_print("CHECK CONDITION without sense", f);
            continue;
        }
        if (iskra_decide_disposition(&f).disposition == ISKRA_DISPOSITION_FAILED)
            continue; /* not known: the last row */
        snprintf(what, sizeof(what), "%s (%02xh)", strcmp(name, "?") == 0 ? "obsolete" : name,
                 status);
        outcomes_print(what, f);
    }
    outcomes_print("any other", facts_of(ISKRA_DID_OK, 0xff));
}

static struct iskra_verdict_facts sense_facts(unsigned key, unsigned asc, unsigned ascq)
{
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION);
    f.sense = (struct iskra_sense){
        .valid = true, .key = (uint8_t)key, .asc = (uint8_t)asc, .ascq = (uint8_t)ascq};
    return f;
}

static bool as_the_key(unsigned key, unsigned asc, unsigned ascq)
{
    /* No rule names this additional code, so that it tells what the key alone comes to. */
    struct iskra_verdict_facts plain = sense_facts(key, 0xff, 0xff);
    struct iskra_verdict_facts f = sense_facts(key, asc, ascq);
    char a[TEXT_LEN], b[TEXT_LEN];
    return strcmp(outcome(&plain, a), outcome(&f, b)) == 0;
}

static const char *key_name(unsigned key)
{
    const char *name = iskra_sense_key_name((uint8_t)key);
    return strcmp(name, "?") == 0 ? "reserved" : name;
}

static void exceptions_print(unsigned key)
{
    for (unsigned asc = 0; asc < 256; asc++) {
        unsigned cnt = 0, last = 0;
        char what[TEXT_LEN];
        for (unsigned ascq = 0; ascq < 256; ascq++)
            if (!as_the_key(key, asc, ascq)) {
                cnt++;
                last = ascq;
            }
        if (cnt == 0)
            continue;
        if (cnt == 1)
            snprintf(what, sizeof(what), "%s (%Xh), %02X/%02X", key_name(key), key, asc, last);
        else
            snprintf(what, sizeof(what), "%s (%Xh), %02X/%s", key_name(key), key, asc,
                     cnt == 256 ? "any" : "some");
        outcomes_print(what, sense_facts(key, asc, last));
    }
}

static void sense_print(void)
{
    outcomes_begin("Sense -> disposition (`check_sense`)", "Key, additional code");
    struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_MEDIUM_ERROR, 0x0c, 0);
    f.sense.deferred = true;
    outcomes_print("any, deferred: about an earlier command", f);
    f.makes_safe = true;
    outcomes_print("the same, of a flush, if it lost something", f);
    f = sense_facts(ISKRA_SENSE_MEDIUM_ERROR, 0x0c, 0);
    f.sense.ili = true;
    outcomes_print("any, with FILEMARK, EOM or ILI", f);
    f = sense_facts(ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0);
    f.expecting_ua = true;
    outcomes_print("NOT READY, UNIT ATTENTION after our own reset, but for 28/00", f);
    f = sense_facts(ISKRA_SENSE_UNIT_ATTENTION, 0x3f, 0x0e);
    f.expecting_lun_change = true;
    outcomes_print("UNIT ATTENTION, 3F/0E, expected", f);
    f = sense_facts(ISKRA_SENSE_NOT_READY, 0x04, 0x02);
    f.allow_restart = true;
    outcomes_print("NOT READY, 04/02, if units may be started", f);
    f = sense_facts(ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0);
    f.retry_hwerror = true;
    outcomes_print("HARDWARE ERROR, if those of the device pass", f);
    for (unsigned key = 0; key < 16; key++) {
        char what[TEXT_LEN];
        exceptions_print(key);
        snprintf(what, sizeof(what), "%s (%Xh)", key_name(key), key);
        outcomes_print(what, sense_facts(key, 0xff, 0xff));
    }
}

/* ---- states ---- */

struct machine {
    const char *title;
    unsigned cnt;
    const char *(*name)(unsigned state);
    bool (*may_change)(unsigned from, unsigned to);
};

static void machine_print(const struct machine *m)
{
    printf("\n### %s\n\n| From | To |\n| --- | --- |\n", m->title);
    for (unsigned from = 0; from < m->cnt; from++) {
        const char *comma = "";
        printf("| %s | ", m->name(from));
        for (unsigned to = 0; to < m->cnt; to++)
            if (m->may_change(from, to)) {
                printf("%s%s", comma, m->name(to));
                comma = ", ";
            }
        printf("%s |\n", *comma ? "" : "-");
    }
}

#define MACHINE(prefix, type, name_of, may)                                                        \
    static const char *prefix##_name(unsigned state)                                               \
    {                                                                                              \
        return name_of((enum type)state);                                                          \
    }                                                                                              \
    static bool prefix##_may(unsigned from, unsigned to)                                           \
    {                                                                                              \
        return may((enum type)from, (enum type)to);                                                \
    }
MACHINE(owner, iskra_owner, iskra_owner_name, iskra_owner_may_change)
MACHINE(device, iskra_sdev_state, iskra_sdev_state_name, iskra_sdev_state_may_change)
MACHINE(host, iskra_shost_state, iskra_shost_state_name, iskra_shost_state_may_change)
MACHINE(session, iskra_session_state, iskra_session_state_name, iskra_session_may_become)

static const struct machine machines[] = {
    {"Owners of a request", ISKRA_OWNER_CNT, owner_name, owner_may},
    {"States of a device", ISKRA_SDEV_STATE_CNT, device_name, device_may},
    {"States of a host", ISKRA_SHOST_STATE_CNT, host_name, host_may},
    {"States of a session", ISKRA_SESSION_STATE_CNT, session_name, session_may},
};

static void prep_print(void)
{
    static const char *const names[] = {
        [ISKRA_PREP_OK] = "OK", [ISKRA_PREP_DEFER] = "DEFER", [ISKRA_PREP_KILL] = "KILL"};
    printf("\n### What a device's state says to a request (`prep_state_check`)\n\n"
           "| State | Request | Internal request |\n| --- | --- | --- |\n");
    for (unsigned state = 0; state < ISKRA_SDEV_STATE_CNT; state++)
        printf("| %s | %s | %s |\n", device_name(state),
               names[iskra_sdev_prep_state_check((enum iskra_sdev_state)state, false)],
               names[iskra_sdev_prep_state_check((enum iskra_sdev_state)state, true)]);
}

/* ---- the timeout verdict ---- */

static void verdict_print(void)
{
    printf("\n### Timeout verdict (`eh_cmd_timed_out`): the first row that applies\n\n"
           "| Row | When | Verdict | And |\n| --- | --- | --- | --- |\n");
    for (unsigned row = 1; row < ISKRA_VERDICT_ROW_CNT; row++) {
        const struct iskra_verdict_words *w = iskra_verdict_row_words(row);
        printf("| %s | %s | %s | %s |\n", w->word, w->when, iskra_eh_verdict_name(w->verdict),
               w->effect);
    }
}

/* ---- the ladder ---- */

static void rungs_print(void)
{
    printf("\n### The error handler's rungs (`eh_ladder.c`, `eh_abort.c`)\n\n"
           "| Rung | For | What | At most | Then |\n| --- | --- | --- | --- | --- |\n");
    for (unsigned rung = ISKRA_EH_RUNG_ABORT; rung < ISKRA_EH_RUNG_CNT; rung++) {
        const struct iskra_eh_rung_words *w = iskra_eh_rung_words((enum iskra_eh_rung)rung);
        printf("| %s | %s | %s | %s | %s |\n", w->name, w->whom, w->act, w->limit, w->after);
    }
}

int main(void)
{
    host_bytes_print();
    statuses_print();
    sense_print();
    for (unsigned i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        machine_print(&machines[i]);
    prep_print();
    verdict_print();
    rungs_print();
    return 0;
}
