/* Data on its way to the target: which of it is asked for, what happens when it comes, and what
 * happens when it is not what was asked for. What commands do with it is in test_write.c; how they
 * end in test_write_end.c. */
#include "writer.h"

#include <string.h>

#include "wire/luns.h"

#define FIRST 4096u /* FirstBurstLength */
#define BURST 8192u /* MaxBurstLength */
#define LEN   32768u
#define NO    ISKRA_RESERVED_TAG

#define KEYS "\0FirstBurstLength=4096\0MaxBurstLength=8192\0MaxOutstandingR2T=2"

#define UNEXPECTED 0x0b0c0cu /* ABORTED COMMAND, unexpected unsolicited data */
#define INCORRECT  0x0b0c0du /* incorrect amount of data */

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bytes[LEN];
static struct iskra_pdu_r2t one, two, three;

static int open_with(const char *keys, uint32_t len)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.lun_cnt = 301;
    target = peer_target(&options);
    peer_open(&peer, target);
    peer_login(&peer, keys, len);
    (void)iskra_cdb_write10(cdb, 8, LEN / 512, 0);
    pattern_fill(bytes, LEN, 1);
    return 0;
}

static int setup(void **state)
{
    return open_with(TEXT(NAMES KEYS "\0InitialR2T=No\0ImmediateData=Yes"));
}

static int setup_solicited(void **state)
{
    return open_with(TEXT(NAMES KEYS "\0InitialR2T=Yes\0ImmediateData=No"));
}

static int setup_digest(void **state)
{
    return open_with(TEXT(NAMES KEYS "\0InitialR2T=No\0DataDigest=CRC32C"));
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void still_alive(void)
{
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    ends_with(&peer, 0);
    assert_true(peer_silent(&peer));
}

/* A write of all of `bytes` whose unsolicited part is done; its first two R2Ts are out. */
static uint32_t two_r2ts_out(void)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, bytes, FIRST, true);
    r2t_expect(&peer, itt, &one);
    r2t_expect(&peer, itt, &two);
    assert_true(peer_silent(&peer));
    return itt;
}

static void immediate_data_alone_can_be_a_write(void **state)
{
    (void)iskra_cdb_write10(cdb, 8, 8, 0);
    (void)write_send(&peer, 0, cdb, FIRST, bytes, FIRST, true);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, FIRST);
}

static void unsolicited_data_follow_immediate_data(void **state)
{
    (void)iskra_cdb_write10(cdb, 8, 8, 0);
    uint32_t itt = write_send(&peer, 0, cdb, FIRST, bytes, 1000, false);
    data_out_send(&peer, itt, NO, 0, 1000, bytes, 2000, false);
    data_out_send(&peer, itt, NO, 1, 3000, bytes, 0, false); /* nothing, allowed */
    assert_true(peer_silent(&peer));
    data_out_send(&peer, itt, NO, 2, 3000, bytes, FIRST - 3000, true);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, FIRST);
}

static void what_is_beyond_the_first_burst_is_asked_for(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, bytes, 1024, false);
    assert_true(peer_silent(&peer)); /* not while unsolicited data are on their way */
    data_out_send(&peer, itt, NO, 0, 1024, bytes, FIRST - 1024, true);
    for (uint32_t at = FIRST, sn = 0; at < LEN; sn++) {
        r2t_expect(&peer, itt, &one);
        assert_int_equal(one.r2t_sn, sn);
        assert_int_equal(one.offset, at);
        assert_int_equal(one.desired_len, LEN - at < BURST ? LEN - at : BURST);
        at += one.desired_len;
        r2t_answer(&peer, &one, bytes, 3000);
    }
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void no_more_r2ts_are_out_than_were_agreed(void **state)
{
    uint32_t itt = two_r2ts_out();
    assert_int_equal(two.offset, one.offset + BURST);
    assert_int_equal(two.r2t_sn, 1);
    r2t_answer(&peer, &one, bytes, BURST);
    r2t_expect(&peer, itt, &three);
    assert_int_equal(three.r2t_sn, 2);
    assert_true(peer_silent(&peer));
    r2t_answer(&peer, &two, bytes, BURST);
    r2t_answer(&peer, &three, bytes, BURST);
    r2t_expect(&peer, itt, &one);
    r2t_answer(&peer, &one, bytes, BURST);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void response_counts_r2ts(void **state)
{
    struct outcome o;
    write_whole(&peer, 0, cdb, bytes, LEN, &o);
    assert_int_equal(o.exp_data_sn, LEN / BURST);
    outcome_done(&o);
}

static void transfer_tags_are_not_used_again_soon(void **state)
{
    uint32_t seen[64], cnt = 0;
    for (int i = 0; i < 8; i++) {
        uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
        for (uint32_t at = 0; at < LEN; at += BURST) {
            r2t_expect(&peer, itt, &one);
            for (uint32_t k = 0; k < cnt; k++)
                assert_int_not_equal(one.ttt, seen[k]);
            seen[cnt++] = one.ttt;
            r2t_answer(&peer, &one, bytes, BURST);
        }
        ends_with(&peer, 0);
    }
    assert_int_equal(cnt, 8 * LEN / BURST);
}

static void r2ts_do_not_use_up_status_numbers(void **state)
{
    struct answer answer;
    struct iskra_pdu_scsi_rsp rsp;
    (void)iskra_cdb_write10(cdb, 8, 16, 0);
    uint32_t itt = write_send(&peer, 0, cdb, BURST, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    r2t_answer(&peer, &one, bytes, BURST);
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    iskra_scsi_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.stat_sn, one.stat_sn);
}

static void lun_300_is_written_and_named_in_its_r2ts(void **state)
{
    uint64_t lun;
    assert_int_equal(iskra_lun_encode(300, &lun), 0);
    assert_int_equal(lun >> 62, 1); /* flat */
    uint32_t itt = write_send(&peer, lun, cdb, LEN, NULL, 0, true);
    for (uint32_t i = 0; i < LEN / BURST; i++) {
        r2t_expect(&peer, itt, &one);
        assert_true(one.lun == lun);
        r2t_answer(&peer, &one, bytes, BURST);
    }
    ends_with(&peer, 0);
    blocks_are(&peer, lun, 8, bytes, LEN);
    memset(bytes, 0, sizeof(bytes));
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void with_initial_r2t_everything_is_asked_for(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    for (uint32_t i = 0; i < LEN / BURST; i++) {
        r2t_expect(&peer, itt, &one);
        assert_int_equal(one.offset, i * BURST);
        assert_int_equal(one.r2t_sn, i);
        r2t_answer(&peer, &one, bytes, 700);
    }
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void immediate_data_that_were_ruled_out_fail_the_command(void **state)
{
    (void)write_send(&peer, 0, cdb, LEN, bytes, 512, true);
    ends_with(&peer, UNEXPECTED);
    still_alive();
}

/* And it is not waited for data that may never come. */
static void announced_data_that_were_ruled_out_fail_the_command(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, false);
    ends_with(&peer, UNEXPECTED);
    data_out_send(&peer, itt, NO, 0, 0, bytes, 512, true);
    still_alive();
}

static void more_immediate_data_than_the_first_burst_fail_the_command(void **state)
{
    (void)write_send(&peer, 0, cdb, LEN, bytes, FIRST + 4, true);
    ends_with(&peer, UNEXPECTED);
    still_alive();
}

static void more_immediate_data_than_announced_fail_the_command(void **state)
{
    (void)write_send(&peer, 0, cdb, 1024, bytes, 2048, true);
    ends_with(&peer, INCORRECT);
    still_alive();
}

static void unsolicited_data_beyond_the_first_burst_fail_the_command(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, bytes, 1024, false);
    data_out_send(&peer, itt, NO, 0, 1024, bytes, FIRST, false);
    assert_true(peer_silent(&peer)); /* RFC 7143 7.3: not before the last has come */
    data_out_send(&peer, itt, NO, 1, 1024 + FIRST, bytes, 512, true);
    ends_with(&peer, INCORRECT);
    still_alive();
}

static void too_few_unsolicited_data_fail_the_command(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, false);
    data_out_send(&peer, itt, NO, 0, 0, bytes, FIRST - 512, true);
    ends_with(&peer, INCORRECT);
    still_alive();
}

/* All of the command would have fitted the first burst: RFC 7143 11.4.7.2 does not mind. */
static void few_unsolicited_data_of_a_short_command_are_completed(void **state)
{
    (void)iskra_cdb_write10(cdb, 8, 4, 0);
    uint32_t itt = write_send(&peer, 0, cdb, 2048, NULL, 0, false);
    data_out_send(&peer, itt, NO, 0, 0, bytes, 512, true);
    r2t_expect(&peer, itt, &one);
    assert_int_equal(one.offset, 512);
    assert_int_equal(one.desired_len, 1536);
    r2t_answer(&peer, &one, bytes, 512);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, 2048);
}

static void unsolicited_data_nobody_announced_fail_the_command(void **state)
{
    uint32_t itt = two_r2ts_out();
    data_out_send(&peer, itt, NO, 0, FIRST, bytes, 512, true);
    data_out_send(&peer, itt, two.ttt, 0, two.offset, bytes, BURST, true);
    ends_with(&peer, UNEXPECTED);
    still_alive();
}

/* Each of these is wrong in one way; the command is answered when both sequences have ended. */
static void wrong_first(uint32_t ttt_xor, uint32_t data_sn, uint32_t shift, uint32_t len)
{
    uint32_t itt = two_r2ts_out();
    data_out_send(&peer, itt, one.ttt ^ ttt_xor, data_sn, one.offset + shift, bytes, len, true);
    assert_true(peer_silent(&peer)); /* the second is still on its way; and no third is asked for */
    r2t_answer(&peer, &two, bytes, BURST);
    ends_with(&peer, INCORRECT);
    still_alive();
}

static void a_wrong_transfer_tag_fails_the_command(void **state)
{
    wrong_first(1u << 20, 0, 0, BURST);
}

static void a_tag_of_another_task_fails_the_command(void **state)
{
    wrong_first(5, 0, 0, BURST);
}

static void a_first_data_sn_that_is_not_0_fails_the_command(void **state)
{
    wrong_first(0, 27, 0, BURST);
}

static void an_offset_before_the_sequence_fails_the_command(void **state)
{
    wrong_first(0, 0, 0u - 512u, BURST);
}

static void an_offset_with_a_gap_fails_the_command(void **state)
{
    wrong_first(0, 0, 512, BURST);
}

static void more_data_than_an_r2t_asked_for_fail_the_command(void **state)
{
    wrong_first(0, 0, 0, BURST + 4);
}

static void a_sequence_that_ends_early_fails_the_command(void **state)
{
    wrong_first(0, 0, 0, BURST - 4);
}

static void a_data_sn_that_comes_twice_fails_the_command(void **state)
{
    uint32_t itt = two_r2ts_out();
    data_out_send(&peer, itt, one.ttt, 0, one.offset, bytes, 512, false);
    data_out_send(&peer, itt, one.ttt, 0, one.offset + 512, bytes, BURST - 512, true);
    r2t_answer(&peer, &two, bytes, BURST);
    ends_with(&peer, INCORRECT);
    still_alive();
}

/* All its bytes are there, so nothing more can come and nothing is waited for. */
static void a_last_pdu_without_f_fails_the_command(void **state)
{
    uint32_t itt = two_r2ts_out();
    data_out_send(&peer, itt, one.ttt, 0, one.offset, bytes, BURST, false);
    r2t_answer(&peer, &two, bytes, BURST);
    ends_with(&peer, INCORRECT);
    still_alive();
}

/* DataSequenceInOrder=Yes */
static void r2ts_answered_out_of_order_fail_the_command(void **state)
{
    (void)two_r2ts_out();
    r2t_answer(&peer, &two, bytes, BURST);
    r2t_answer(&peer, &one, bytes, BURST);
    ends_with(&peer, INCORRECT);
    still_alive();
}

static void data_of_no_command_are_dropped(void **state)
{
    data_out_send(&peer, 0x4711, NO, 0, 0, bytes, LEN, true);
    data_out_send(&peer, 0x4711, 3, 9, 512, bytes, 512, false);
    data_out_send(&peer, 0x4711, 0x1fff, 9, 512, bytes, 512, false);
    still_alive();
}

static void reject_expect(uint8_t reason)
{
    struct answer answer;
    struct iskra_pdu_reject rej;
    peer_expect(&peer, ISKRA_OP_REJECT, &answer);
    iskra_reject_decode(answer.bhs, &rej);
    assert_int_equal(rej.reason, reason);
    assert_int_equal(answer.len, ISKRA_BHS_LEN);
}

/* RFC 7143 7.8: a Reject at once, the CHECK CONDITION when the data phase is over. */
static void damaged_data_are_rejected_and_fail_the_command_at_its_end(void **state)
{
    uint32_t itt = two_r2ts_out();
    peer.spoil = true;
    data_out_send(&peer, itt, one.ttt, 0, one.offset, bytes, 512, false);
    peer.spoil = false;
    reject_expect(2);
    data_out_send(&peer, itt, one.ttt, 1, one.offset + 512, bytes, BURST - 512, true);
    assert_true(peer_silent(&peer));
    r2t_answer(&peer, &two, bytes, BURST);
    ends_with(&peer, 0x0b4705);
    still_alive();
}

static void damaged_data_of_no_command_are_rejected_too(void **state)
{
    peer.spoil = true;
    data_out_send(&peer, 0x4711, NO, 0, 0, bytes, 512, true);
    peer.spoil = false;
    reject_expect(2);
    still_alive();
}

/* The same writes, handed in byte by byte and in odd pieces. */
static void pieces_of_the_stream_make_no_difference(void **state)
{
    static const size_t chunks[] = {1, 47, 513, 4097};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        peer.chunk = chunks[i];
        pattern_fill(bytes, LEN, (uint32_t)i + 100);
        write_good(&peer, 0, cdb, bytes, LEN);
        blocks_are(&peer, 0, 8, bytes, LEN);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define S(name) cmocka_unit_test_setup_teardown(name, setup_solicited, teardown)
#define D(name) cmocka_unit_test_setup_teardown(name, setup_digest, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(immediate_data_alone_can_be_a_write),
        T(unsolicited_data_follow_immediate_data),
        T(what_is_beyond_the_first_burst_is_asked_for),
        T(no_more_r2ts_are_out_than_were_agreed),
        T(response_counts_r2ts),
        T(transfer_tags_are_not_used_again_soon),
        T(r2ts_do_not_use_up_status_numbers),
        T(lun_300_is_written_and_named_in_its_r2ts),
        S(with_initial_r2t_everything_is_asked_for),
        S(immediate_data_that_were_ruled_out_fail_the_command),
        S(announced_data_that_were_ruled_out_fail_the_command),
        T(more_immediate_data_than_the_first_burst_fail_the_command),
        T(more_immediate_data_than_announced_fail_the_command),
        T(unsolicited_data_beyond_the_first_burst_fail_the_command),
        T(too_few_unsolicited_data_fail_the_command),
        T(few_unsolicited_data_of_a_short_command_are_completed),
        T(unsolicited_data_nobody_announced_fail_the_command),
        T(a_wrong_transfer_tag_fails_the_command),
        T(a_tag_of_another_task_fails_the_command),
        T(a_first_data_sn_that_is_not_0_fails_the_command),
        T(an_offset_before_the_sequence_fails_the_command),
        T(an_offset_with_a_gap_fails_the_command),
        T(more_data_than_an_r2t_asked_for_fail_the_command),
        T(a_sequence_that_ends_early_fails_the_command),
        T(a_data_sn_that_comes_twice_fails_the_command),
        T(a_last_pdu_without_f_fails_the_command),
        T(r2ts_answered_out_of_order_fail_the_command),
        T(data_of_no_command_are_dropped),
        D(damaged_data_are_rejected_and_fail_the_command_at_its_end),
        D(damaged_data_of_no_command_are_rejected_too),
        T(pieces_of_the_stream_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
