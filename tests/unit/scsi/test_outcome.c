/* Whose story is told, and what it says: of the command that failed, of its last try. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static void session_tells(struct rig_io *io, const char *text)
{
    assert_ptr_equal(io->sreq.cmnd.error, &io->error);
    io->error = (struct iskra_error){.code = ISKRA_E_RESPONSE, .sys_errno = EIO};
    strcpy(io->error.text, text);
    io->sreq.cmnd.told = true;
}

static void an_answer_the_session_refused_keeps_its_story(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    session_tells(io, "response code 1");
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0), 0);
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(io->error.code, ISKRA_E_RESPONSE);
    assert_string_equal(io->error.text, "READ(10) lba 0, 1 block: response code 1");
}

/* Both end in one round: neither tells the other's story. */
static void commands_that_fail_together_tell_each_its_own_story(void **state)
{
    struct rig *r = *state;
    struct rig_io *first = rig_read(r, 0, 0, 1);
    struct rig_io *second = rig_read(r, 1, 7, 1);

    session_tells(first, "response code 1");
    session_tells(second, "response code 2");
    for (unsigned i = 0; i < 2; i++) {
        struct iskra_cmnd *cmnd = r->sent[i].cmnd;
        r->sent[i].cmnd = NULL;
        cmnd->result = ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0);
        cmnd->scsi_done(cmnd);
    }
    rig_work(r);
    assert_string_equal(first->error.text, "READ(10) lba 0, 1 block: response code 1");
    assert_string_equal(second->error.text, "READ(10) lba 7, 1 block: response code 2");
}

static void a_try_that_goes_well_leaves_no_story_of_an_earlier_one(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    session_tells(io, "rejected");
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_SOFT_ERROR, 0), 512);
    assert_int_equal(io->done_cnt, 0);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    assert_false(io->sreq.cmnd.told);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->error.code, ISKRA_OK);
    assert_string_equal(io->error.text, "");
}

/* As good as GOOD, if the data were there: 3.4 keeps the command, decision 20 the stale memory. */
static void a_recovered_error_without_the_data_is_told_with_status_and_sense(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t key;
        const char *text;
    } rows[] = {
        {ISKRA_SENSE_NO_SENSE, "READ(10) lba 0, 1 block: CHECK CONDITION, NO SENSE (0h), "},
        {ISKRA_SENSE_RECOVERED_ERROR,
         "READ(10) lba 0, 1 block: CHECK CONDITION, RECOVERED ERROR (1h), "},
    };

    for (unsigned i = 0; i < 2; i++) {
        struct rig_io *io = rig_read(r, i, 0, 1);
        rig_answer_sense(r, i, rows[i].key, 0x17, 0);
        assert_int_equal(io->sreq.status, -EIO);
        assert_memory_equal(io->error.text, rows[i].text, strlen(rows[i].text));
        assert_non_null(strstr(io->error.text, "but 512 of 512 bytes are missing"));
        assert_int_equal(io->error.scsi_status, ISKRA_STATUS_CHECK_CONDITION);
        assert_int_equal(io->error.sense[1], rows[i].key);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_the_session_refused_keeps_its_story),
        T(commands_that_fail_together_tell_each_its_own_story),
        T(a_try_that_goes_well_leaves_no_story_of_an_earlier_one),
        T(a_recovered_error_without_the_data_is_told_with_status_and_sense),
    };
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
