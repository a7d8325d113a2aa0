/* The session's operations for error handling, as the test wants them to end (spec 3.11). */
#include "iscsi/eh.h"

#include "unit/scsi/scsi_rig.h"

static struct rig *rig_of(struct iskra_session *s)
{
    return iskra_container_of(s, struct rig, session);
}

static void give_back(struct rig *r, struct rig_sent *sent, enum iskra_host_byte host_byte)
{
    struct iskra_cmnd *cmnd = sent->cmnd;

    if (cmnd == NULL)
        return;
    sent->cmnd = NULL;
    cmnd->task = NULL;
    cmnd->result = ISKRA_RESULT(host_byte, 0);
    cmnd->residual = cmnd->transfer_len;
    if (r->eh.loan)
        r->eh.loaned = cmnd;
    else
        cmnd->scsi_done(cmnd);
}

static void give_back_all(struct rig *r, const uint64_t *lun, enum iskra_host_byte host_byte)
{
    unsigned cnt = r->sent_cnt;

    for (unsigned i = 0; i < cnt; i++)
        if (lun == NULL || r->sent[i].lun == *lun)
            give_back(r, &r->sent[i], host_byte);
}

static void tell(struct iskra_work *work)
{
    struct iskra_eh_op *op = iskra_container_of(work, struct iskra_eh_op, work);

    op->session = NULL;
    op->told(op, op->outcome);
}

void iskra_eh_op_init(struct iskra_eh_op *op, iskra_eh_told_fn *told)
{
    *op = (struct iskra_eh_op){.told = told};
    iskra_work_init(&op->work, tell);
}

const char *iskra_eh_op_why(const struct iskra_eh_op *op)
{
    return op->outcome == ISKRA_EH_SUCCESS ? "it did not" : "the rig said so";
}

static void settle(struct rig *r, enum rig_eh_kind kind, enum iskra_eh_outcome outcome)
{
    struct iskra_eh_op *op = r->eh.op[kind];
    struct rig_sent *sent = (struct rig_sent *)op->task;

    r->eh.op[kind] = NULL;
    op->outcome = outcome;
    if (kind == RIG_SESSION_RESET && outcome == ISKRA_EH_SUCCESS)
        r->session.state = ISKRA_SESSION_LOGGED_IN;
    else if (kind == RIG_SESSION_RESET && r->session.state == ISKRA_SESSION_IN_RECOVERY)
        r->session.state = ISKRA_SESSION_RECOVERY_FAILED;
    else if (kind == RIG_ABORT && outcome == ISKRA_EH_SUCCESS && sent != NULL)
        give_back(r, sent, ISKRA_DID_ABORT);
    else if (kind == RIG_LUN_RESET && outcome == ISKRA_EH_SUCCESS)
        give_back_all(r, &r->eh.lun, ISKRA_DID_ERROR);
    else if (kind == RIG_TARGET_RESET && outcome == ISKRA_EH_SUCCESS)
        give_back_all(r, NULL, ISKRA_DID_ERROR);
    iskra_work_schedule(&r->round.work, &op->work);
}

void rig_eh_tell(struct rig *r, enum rig_eh_kind kind, enum iskra_eh_outcome outcome)
{
    assert_non_null(r->eh.op[kind]);
    settle(r, kind, outcome);
    rig_work(r);
}

void rig_eh_lost(struct rig *r)
{
    for (unsigned kind = 0; kind < RIG_EH_KIND_CNT; kind++)
        if (r->eh.op[kind] != NULL)
            settle(r, kind, ISKRA_EH_FAILED);
}

static void begin(struct iskra_session *s, struct iskra_eh_op *op, enum rig_eh_kind kind)
{
    struct rig *r = rig_of(s);

    assert_null(op->session); /* one use at a time */
    assert_null(r->eh.op[kind]);
    op->session = s;
    r->eh.op[kind] = op;
    r->eh.cnt[kind]++;
    if (s->state == ISKRA_SESSION_TERMINATE)
        settle(r, kind, ISKRA_EH_FAILED);
    else if (r->eh.answer[kind] != RIG_EH_SILENT)
        settle(r, kind, r->eh.answer[kind] == RIG_EH_GOOD ? ISKRA_EH_SUCCESS : ISKRA_EH_FAILED);
}

void iskra_eh_abort(struct iskra_session *s, struct iskra_eh_op *op, struct iskra_cmnd *cmd)
{
    op->task = cmd->task;
    begin(s, op, RIG_ABORT);
}

void iskra_eh_device_reset(struct iskra_session *s, struct iskra_eh_op *op, uint64_t lun)
{
    assert_int_equal(rig_of(s)->host.state, ISKRA_SHOST_RECOVERY);
    rig_of(s)->eh.lun = lun;
    begin(s, op, RIG_LUN_RESET);
}

void iskra_eh_target_reset(struct iskra_session *s, struct iskra_eh_op *op)
{
    begin(s, op, RIG_TARGET_RESET);
}

void iskra_eh_session_reset(struct iskra_session *s, struct iskra_eh_op *op,
                            const struct iskra_error *why)
{
    struct rig *r = rig_of(s);

    if (s->state == ISKRA_SESSION_TERMINATE) {
        begin(s, op, RIG_SESSION_RESET);
        return;
    }
    r->fail_session_cnt++;
    strcpy(r->fail_session_text, why->text);
    r->session.error = *why;
    r->session.error.code = ISKRA_E_CONNECTION;
    r->session.error.conn_error = ISKRA_CONN_SCSI_EH_SESSION_RST;
    r->session.state = ISKRA_SESSION_IN_RECOVERY;
    if (r->eh.answer[RIG_SESSION_RESET] != RIG_EH_SILENT)
        give_back_all(r, NULL, ISKRA_DID_TRANSPORT_DISRUPTED);
    begin(s, op, RIG_SESSION_RESET);
}

void iskra_eh_op_cancel(struct iskra_session *s, struct iskra_eh_op *op)
{
    iskra_work_cancel(&op->work);
    op->session = NULL;
    for (unsigned i = 0; i < RIG_EH_KIND_CNT; i++)
        if (rig_of(s)->eh.op[i] == op)
            rig_of(s)->eh.op[i] = NULL;
}

void rig_return_loan(struct rig *r)
{
    struct iskra_cmnd *cmnd = r->eh.loaned;

    r->eh.loan = false;
    r->eh.loaned = NULL;
    cmnd->scsi_done(cmnd);
    rig_work(r);
}

uint32_t iskra_cmnd_itt(const struct iskra_cmnd *cmd)
{
    return cmd->task != NULL ? 0x12 : UINT32_MAX;
}

void rig_note(void *arg, bool warning, const char *line)
{
    struct rig *r = arg;

    (void)warning;
    snprintf(r->eh.notes[r->eh.note_cnt++ % RIG_NOTE_MAX], sizeof(r->eh.notes[0]), "%s", line);
}

bool rig_noted(const struct rig *r, const char *line)
{
    for (unsigned i = 0; i < RIG_NOTE_MAX; i++)
        if (strcmp(r->eh.notes[i], line) == 0)
            return true;
    for (unsigned i = 0; i < r->eh.note_cnt && i < RIG_NOTE_MAX; i++)
        print_message("noted: %s\n", r->eh.notes[i]);
    return false;
}

uint32_t rig_eh_cnt(const struct rig *r)
{
    struct iskra_eh_status st;

    iskra_eh_status(&r->host, &st);
    return st.cmnd_cnt;
}
