#include "unit/scsi/scsi_rig.h"

#include <errno.h>

#include "iscsi/cmd.h"

static struct rig *rig_of_session(struct iskra_session *s)
{
    return iskra_container_of(s, struct rig, session);
}

/* ---- the session's side ---- */

enum iskra_queue_status iskra_queuecommand(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    struct rig *r = rig_of_session(s);

    assert_int_equal(s->state, ISKRA_SESSION_LOGGED_IN); /* decision 12 */
    assert_null(cmd->task);
    if (r->refuse != ISKRA_QUEUED) {
        r->refused_cnt++;
        return r->refuse;
    }
    if (r->window_len != 0 && s->scsi_cnt >= r->window_len)
        return ISKRA_TARGET_BUSY;
    s->scsi_cnt++;
    assert_true(r->sent_cnt < RIG_SENT_MAX);
    cmd->sent = !r->held;
    struct rig_sent *sent = &r->sent[r->sent_cnt++];
    *sent = (struct rig_sent){
        .cmnd = cmd, .lun = cmd->lun, .transfer_len = cmd->transfer_len, .iov_skip = cmd->iov_skip};
    (void)iskra_cdb_decode(cmd->cdb, cmd->cdb_len, &sent->cdb);
    cmd->task = (struct iskra_task *)sent; /* not NULL is all that counts */
    return ISKRA_QUEUED;
}

int iskra_task_pool_set_aside(struct iskra_session *s, uint32_t cmnd_cnt)
{
    rig_of_session(s)->aside_cnt = cmnd_cnt;
    return 0;
}

enum iskra_eh_verdict iskra_eh_cmd_timed_out(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    (void)cmd;
    rig_of_session(s)->judged_cnt++;
    return rig_of_session(s)->verdict;
}

bool iskra_window_closed(const struct iskra_cmd_window *w)
{
    const struct iskra_session *s = iskra_container_of(w, struct iskra_session, window);
    const struct rig *r = iskra_container_of(s, struct rig, session);

    return (int32_t)(w->queued_cmd_sn - w->max_cmd_sn) > 0 ||
           (r->window_len != 0 && s->scsi_cnt >= r->window_len);
}

void iskra_class_ready(struct iskra_class *cls)
{
    *(unsigned *)(void *)cls += 1; /* rig_setup() says whose */
}

int iskra_session_abort(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    if (cmd->task == NULL) /* given back, but for a loan */
        return -EALREADY;
    assert_ptr_equal(((struct rig_sent *)cmd->task)->cmnd, cmd);
    rig_of_session(s)->abort_cnt++;
    return 0;
}

bool iskra_cmnd_unsent(const struct iskra_cmnd *cmd)
{
    return false;
}

int iskra_cmnd_recall(const struct iskra_cmnd *cmd)
{
    const struct iskra_scsi_request *sreq =
        iskra_container_of(cmd, struct iskra_scsi_request, cmnd);
    return rig_of_session(sreq->sdev->host->session)->keeps_memory ? -EBUSY : 0;
}

size_t iskra_cmnd_detach_len(const struct iskra_cmnd *cmd)
{
    return cmd->transfer_len;
}

void iskra_cmnd_detach(struct iskra_cmnd *cmd, struct iskra_cmnd *heir, void *memory)
{
    const struct iskra_scsi_request *sreq =
        iskra_container_of(cmd, struct iskra_scsi_request, cmnd);
    struct rig *r = rig_of_session(sreq->sdev->host->session);

    memset(memory, 0xdd, cmd->transfer_len);
    *heir = *cmd;
    if (r->eh.loaned == cmd)
        r->eh.loaned = heir;
    else
        ((struct rig_sent *)cmd->task)->cmnd = heir;
    cmd->task = NULL;
}

const char *iskra_host_byte_name(uint8_t host_byte)
{
    return host_byte == ISKRA_DID_ERROR ? "DID_ERROR" : "DID_other";
}

/* ---- what the host asks ---- */

static void unit_attention(void *arg, struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq)
{
    struct rig *r = arg;

    (void)sdev;
    r->ua_cnt++;
    r->ua_asc = asc;
    r->ua_ascq = ascq;
}

static void capacity_changed(void *arg, struct iskra_sdev *sdev, uint64_t was_cnt)
{
    struct rig *r = arg;

    (void)sdev;
    r->capacity_cnt++;
    r->capacity_was = was_cnt;
}

static const struct iskra_shost_ops host_ops = {
    .capacity_changed = capacity_changed, .note = rig_note, .unit_attention = unit_attention};

/* ---- set-up ---- */

struct iskra_sdev *rig_disk(struct rig *r, uint64_t lun)
{
    struct iskra_sdev *sdev = iskra_alloc_sdev(&r->host, lun);

    assert_non_null(sdev);
    sdev->block_len = RIG_BLOCK_LEN;
    sdev->block_cnt = RIG_BLOCK_CNT;
    sdev->capacity_known = true;
    assert_true(iskra_sdev_set_state(sdev, ISKRA_SDEV_RUNNING));
    return sdev;
}

int rig_setup(void **state)
{
    struct rig *r = test_calloc(1, sizeof(*r));

    r->pf = counted_platform(&r->memory);
    r->round.pf = &r->pf;
    r->round.now_ns = 100 * RIG_S;
    iskra_timers_init(&r->round.timers, &r->pf);
    iskra_workq_init(&r->round.work);
    iskra_workq_init(&r->round.xmit);
    assert_int_equal(iskra_trace_init(&r->round.trace, &r->pf, 64), 0);
    r->session.round = &r->round;
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    r->session.scsi_cmds_room = 113;
    r->session.sid = 1;
    r->session.cls = (struct iskra_class *)(void *)&r->ready_cnt;
    iskra_shost_init(&r->host, &r->round, &host_ops, r);
    iskra_shost_set_session(&r->host, &r->session);
    r->verdict = ISKRA_EH_RESET_TIMER;
    r->eh.answer[RIG_SESSION_RESET] = RIG_EH_SILENT;
    r->data = test_calloc(1, RIG_DATA_LEN);
    r->sdev = rig_disk(r, 0);
    *state = r;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    r->target = NULL;
    rig_fail_tasks(r);
    iskra_shost_done(&r->host);
    iskra_trace_done(&r->round.trace);
    iskra_timers_done(&r->round.timers);
    assert_int_equal(r->memory.live_cnt, 0);
    test_free(r->data);
    test_free(r);
    return 0;
}

void rig_work(struct rig *r)
{
    for (unsigned pass = 0; pass < 100000; pass++) {
        bool idle = iskra_workq_run(&r->round.work) == 0;
        for (unsigned i = 0; r->target != NULL && i < r->sent_cnt; i++) {
            struct iskra_cmnd *cmnd = r->sent[i].cmnd;
            if (cmnd == NULL)
                continue;
            idle = false;
            r->sent[i].cmnd = NULL;
            r->session.scsi_cnt--;
            cmnd->task = NULL;
            cmnd->result = 0;
            r->target(r, cmnd);
            cmnd->scsi_done(cmnd);
        }
        if (r->target != NULL && rig_out_cnt(r) == 0 && r->sent_cnt > RIG_SENT_MAX / 2)
            r->sent_cnt = 0; /* a long scan: nobody looks at them any more */
        if (idle)
            return;
    }
    fail_msg("the work never ends");
}

void rig_advance_to(struct rig *r, uint64_t to_ns)
{
    uint64_t next_ns;

    rig_work(r);
    while ((next_ns = iskra_timers_next_ns(&r->round.timers)) <= to_ns) {
        if (next_ns > r->round.now_ns)
            r->round.now_ns = next_ns;
        iskra_timers_run(&r->round.timers, r->round.now_ns);
        rig_work(r);
    }
    r->round.now_ns = to_ns;
}

/* ---- requests ---- */

static void io_done(struct iskra_scsi_request *sreq)
{
    struct rig_io *io = (struct rig_io *)sreq;

    io->done_cnt++;
    if (io->on_done != NULL)
        io->on_done(io);
}

struct rig_io *rig_io(struct rig *r, unsigned n)
{
    struct rig_io *io = &r->ios[n];

    memset(io, 0, sizeof(*io));
    io->rig = r;
    iskra_scsi_request_init(&io->sreq, r->sdev, io_done, &io->error);
    return io;
}

struct rig_io *rig_read(struct rig *r, unsigned n, uint64_t lba, uint32_t block_cnt)
{
    struct rig_io *io = rig_io(r, n);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = (size_t)block_cnt * RIG_BLOCK_LEN};
    assert_int_equal(
        iskra_scsi_submit_read(&io->sreq, &io->iov, 1, lba * RIG_BLOCK_LEN, io->iov.iov_len), 0);
    return io;
}

struct rig_io *rig_tur(struct rig *r, unsigned n)
{
    static const uint8_t cdb[6] = {0};
    struct rig_io *io = rig_io(r, n);

    assert_int_equal(iskra_scsi_submit_raw(&io->sreq, cdb, sizeof(cdb), ISKRA_DIR_NONE, NULL, 0, 0),
                     0);
    return io;
}

unsigned rig_out_cnt(const struct rig *r)
{
    unsigned cnt = 0;

    for (unsigned i = 0; i < r->sent_cnt; i++)
        cnt += r->sent[i].cmnd != NULL;
    return cnt;
}

/* ---- answers ---- */

void rig_answer(struct rig *r, unsigned index, uint32_t result, uint32_t residual)
{
    assert_true(index < r->sent_cnt);
    struct iskra_cmnd *cmnd = r->sent[index].cmnd;
    assert_non_null(cmnd);
    r->sent[index].cmnd = NULL;
    r->session.scsi_cnt--;
    cmnd->task = NULL;
    cmnd->result = result;
    cmnd->residual = residual;
    cmnd->scsi_done(cmnd);
    rig_work(r);
}

void rig_answer_good(struct rig *r, unsigned index)
{
    rig_answer(r, index, 0, 0);
}

void rig_set_sense(struct iskra_cmnd *cmnd, const struct iskra_sense *sense)
{
    uint8_t buf[ISKRA_SENSE_DESCRIPTOR_LEN_MAX];

    cmnd->sense_len = (uint8_t)iskra_sense_encode_descriptor(sense, buf);
    memcpy(cmnd->sense, buf, cmnd->sense_len);
    cmnd->result = ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION);
    cmnd->residual = cmnd->transfer_len;
}

void rig_answer_sense(struct rig *r, unsigned index, uint8_t key, uint8_t asc, uint8_t ascq)
{
    const struct iskra_sense sense = {.valid = true, .key = key, .asc = asc, .ascq = ascq};

    assert_true(index < r->sent_cnt && r->sent[index].cmnd != NULL);
    rig_set_sense(r->sent[index].cmnd, &sense);
    rig_answer(r, index, r->sent[index].cmnd->result, r->sent[index].transfer_len);
}

void rig_fail_tasks(struct rig *r)
{
    unsigned cnt = r->sent_cnt;

    r->session.state = ISKRA_SESSION_TERMINATE;
    for (unsigned i = 0; i < cnt; i++) {
        struct iskra_cmnd *cmnd = r->sent[i].cmnd;
        if (cmnd == NULL)
            continue;
        r->sent[i].cmnd = NULL;
        r->session.scsi_cnt--;
        cmnd->task = NULL;
        cmnd->result = ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0);
        cmnd->residual = cmnd->transfer_len;
        cmnd->scsi_done(cmnd);
    }
    rig_eh_lost(r);
    rig_work(r);
}

void rig_session_lost(struct rig *r, const char *why)
{
    r->session.state = ISKRA_SESSION_FAILED;
    r->session.error = (struct iskra_error){
        .code = ISKRA_E_CONNECTION, .sys_errno = 104, .conn_error = ISKRA_CONN_TCP_CONN_CLOSE};
    strcpy(r->session.error.text, why);
}

void rig_data_in(struct iskra_cmnd *cmnd, const void *bytes, uint32_t len)
{
    uint32_t fits = len < cmnd->transfer_len ? len : cmnd->transfer_len;

    assert_true(cmnd->iov_cnt == 1 && cmnd->iov_skip == 0 && cmnd->iov[0].iov_len >= fits);
    memcpy(cmnd->iov[0].iov_base, bytes, fits);
    cmnd->result = 0;
    cmnd->residual = cmnd->transfer_len - fits;
}
