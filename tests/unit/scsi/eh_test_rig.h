/* Steps that the tests of the error handler share. */
#ifndef EH_TEST_RIG_H
#define EH_TEST_RIG_H

#include "unit/scsi/scsi_rig.h"

static inline struct iskra_eh_status status_of(const struct rig *r)
{
    struct iskra_eh_status st;

    iskra_eh_status(&r->host, &st);
    return st;
}

static inline void assert_good(const struct rig_io *io)
{
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* A read that will be given up by the session, and that nothing but the ladder helps. */
static inline struct rig_io *to_the_ladder(struct rig *r)
{
    r->verdict = ISKRA_EH_NOT_HANDLED;
    return rig_read(r, 0, 0, 1);
}

static inline void silent_all(struct rig *r)
{
    r->eh.answer[RIG_LUN_RESET] = r->eh.answer[RIG_TARGET_RESET] = RIG_EH_SILENT;
}

/* Until the ladder is climbed for what is out. */
static inline void begin_ladder(struct rig *r)
{
    for (unsigned i = 0; i < 400 && r->host.state != ISKRA_SHOST_RECOVERY; i++)
        rig_advance_to(r, r->round.now_ns + RIG_S / 10);
    assert_int_equal(r->host.state, ISKRA_SHOST_RECOVERY);
}

/* The last command sent is TEST UNIT READY, and is answered now. */
static inline void answer_tur(struct rig *r, bool ready)
{
    assert_true(status_of(r).testing);
    assert_int_equal(r->sent[r->sent_cnt - 1].cdb.opcode, ISKRA_SCSI_TEST_UNIT_READY);
    rig_answer(r, r->sent_cnt - 1, ready ? 0 : ISKRA_RESULT(ISKRA_DID_ERROR, 0), 0);
}

/* The ladder is over, and the request is sent and done. */
static inline void send_again(struct rig *r, struct rig_io *io)
{
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    assert_int_equal(io->done_cnt, 0);
    unsigned sent_cnt = r->sent_cnt;
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    if (r->sent_cnt == sent_cnt)
        sent_cnt--; /* it went out at once */
    rig_answer_good(r, sent_cnt);
    assert_good(io);
    assert_int_equal(r->host.host_busy, 0);
    assert_int_equal(status_of(r).cmnd_cnt, 0);
}

/* What STOP_CONN does to the tasks of a session that will be back. */
static inline void give_back_disrupted(struct rig *r)
{
    unsigned cnt = r->sent_cnt;

    for (unsigned i = 0; i < cnt; i++)
        if (r->sent[i].cmnd != NULL)
            rig_answer(r, i, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0), 0);
}

#endif
