/* The target's login: stages, negotiation, every refusal. */
#include "peer.h"

#include <stdio.h>
#include <string.h>

static struct iskra_target *target;
static struct peer peer;

static int setup(void **state)
{
    target = peer_target(NULL);
    peer_open(&peer, target);
    return 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

/* RFC 7143 11.12, 11.13 byte by byte, so that both ends cannot be wrong together. */
static void a_login_is_answered_with_these_bytes(void **state)
{
    static const char text[] = "InitiatorName=iqn.a:b\0TargetName=" PEER_TARGET;
    uint8_t request[48 + 64] = {
        0x43, 0x87, 0,    0,    0,    0,    0,    sizeof(text), /* I, T, CSG 1, NSG 3, length */
        0x80, 0x12, 0x34, 0x56, 0x00, 0x01, 0x00, 0x00,         /* ISID, TSIH */
        0x00, 0x00, 0x00, 0x55, 0x00, 0x01, 0x00, 0x00,         /* ITT, CID */
        0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x00};        /* CmdSN, ExpStatSN */
    static const uint8_t response[48] = {
        0x23, 0x87, 0,    0,    0,    0,    0,    55,
        0x80, 0x12, 0x34, 0x56, 0x00, 0x01, 0x00, 0x01, /* ISID, TSIH 1 */
        0x00, 0x00, 0x00, 0x55, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x07,  /* StatSN, ExpCmdSN */
        0x00, 0x00, 0x00, 0x86, 0x00, 0x00, 0x00, 0x00}; /* MaxCmdSN, status */
    static const char answer_text[] = "TargetPortalGroupTag=1\0MaxRecvDataSegmentLength=262144";
    memcpy(request + 48, text, sizeof(text));
    peer_send_bytes(&peer, request, 48 + (sizeof(text) + 3) / 4 * 4);
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_LOGIN_RSP, &answer);
    assert_int_equal(answer.len, sizeof(answer_text));
    assert_memory_equal(answer.payload, answer_text, sizeof(answer_text));
    assert_memory_equal(answer.bhs, response, sizeof(response));
}

static void security_then_operational_then_full_feature(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_login_send(&peer, 0, 1, true, TEXT(NAMES "\0SessionType=Normal\0AuthMethod=CHAP,None"));
    peer_login_expect(&peer, &rsp, &answer);
    assert_int_equal(rsp.csg, 0);
    assert_int_equal(rsp.nsg, 1);
    assert_true(rsp.transit);
    assert_int_equal(rsp.tsih, 0);
    assert_string_equal(answer_value(&answer, "AuthMethod"), "None");
    assert_string_equal(answer_value(&answer, "TargetPortalGroupTag"), "1");
    peer_login_send(&peer, 1, 3, true, TEXT("HeaderDigest=None"));
    peer_login_expect(&peer, &rsp, &answer);
    assert_true(rsp.transit);
    assert_int_not_equal(rsp.tsih, 0);
    assert_string_equal(answer_value(&answer, "HeaderDigest"), "None");
    assert_string_equal(answer_value(&answer, "TargetPortalGroupTag"), "");
}

static void security_straight_to_full_feature(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    peer_login_send(&peer, 0, 3, true, TEXT(NAMES "\0AuthMethod=None"));
    peer_login_expect(&peer, &rsp, NULL);
    assert_true(rsp.transit);
    assert_int_equal(rsp.nsg, 3);
}

static void without_t_the_stage_stays(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    peer_login_send(&peer, 1, 0, false, TEXT(NAMES));
    peer_login_expect(&peer, &rsp, NULL);
    assert_false(rsp.transit);
    peer_login_send(&peer, 1, 3, true, NULL, 0);
    peer_login_expect(&peer, &rsp, NULL);
    assert_true(rsp.transit);
    assert_int_equal(rsp.stat_sn, 2);
}

static void text_may_be_spread_over_requests_by_the_c_bit(void **state)
{
    static const char text[] = NAMES "\0HeaderDigest=CRC32C";
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    for (size_t cut = 1; cut < sizeof(text); cut += 9) {
        struct peer one;
        peer_open(&one, target);
        struct iskra_pdu_login req = {.cont = true, .csg = 1, .cid = 1, .itt = 0x55};
        memcpy(req.isid, one.isid, ISKRA_ISID_LEN);
        uint8_t bhs[ISKRA_BHS_LEN];
        iskra_login_encode(&req, bhs);
        peer_send(&one, bhs, text, (uint32_t)cut);
        peer_login_expect(&one, &rsp, &answer);
        assert_false(rsp.transit);
        assert_int_equal(answer.len, 0);
        peer_login_send(&one, 1, 3, true, text + cut, (uint32_t)(sizeof(text) - cut));
        peer_login_expect(&one, &rsp, &answer);
        assert_true(rsp.transit);
        assert_string_equal(answer_value(&answer, "HeaderDigest"), "CRC32C");
        peer_close(&one);
    }
}

/* 300 unknown keys are answered by more than the 8192 bytes that a Login Response may have. */
static void a_long_answer_is_spread_by_the_c_bit(void **state)
{
    char text[8192];
    size_t len = sizeof(NAMES);
    memcpy(text, NAMES, len);
    for (int i = 0; i < 500; i++)
        len += (size_t)sprintf(text + len, "X%03d=1", i) + 1;
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_login_send(&peer, 1, 3, true, text, (uint32_t)len);
    peer_login_expect(&peer, &rsp, &answer);
    assert_true(rsp.cont);
    assert_false(rsp.transit);
    assert_int_equal(answer.len, 8192);
    peer_login_send(&peer, 1, 0, false, NULL, 0);
    peer_login_expect(&peer, &rsp, &answer);
    assert_false(rsp.cont);
    assert_int_equal(answer.len, 500 * sizeof("X000=NotUnderstood") +
                                     sizeof("TargetPortalGroupTag=1") +
                                     sizeof("MaxRecvDataSegmentLength=262144") - 8192);
    peer_login_send(&peer, 1, 3, true, NULL, 0);
    peer_login_expect(&peer, &rsp, &answer);
    assert_true(rsp.transit);
}

static void every_key_gets_its_result(void **state)
{
    static const struct {
        const char *offer, *key, *result;
    } rows[] = {
        {"HeaderDigest=CRC32C,None", "HeaderDigest", "CRC32C"},
        {"HeaderDigest=None,CRC32C", "HeaderDigest", "None"},
        {"DataDigest=SHA9,CRC32C", "DataDigest", "CRC32C"},
        {"DataDigest=SHA9", "DataDigest", "Reject"},
        {"MaxConnections=8", "MaxConnections", "1"},
        {"MaxConnections=0", "MaxConnections", "Reject"},
        {"InitialR2T=No", "InitialR2T", "No"},
        {"InitialR2T=Yes", "InitialR2T", "Yes"},
        {"ImmediateData=Yes", "ImmediateData", "Yes"},
        {"ImmediateData=No", "ImmediateData", "No"},
        {"ImmediateData=maybe", "ImmediateData", "Reject"},
        {"MaxRecvDataSegmentLength=65536", "MaxRecvDataSegmentLength", "262144"},
        {"MaxBurstLength=0x40000", "MaxBurstLength", "262144"},
        {"MaxBurstLength=16776192", "MaxBurstLength", "1048576"},
        {"MaxBurstLength=511", "MaxBurstLength", "Reject"},
        {"FirstBurstLength=65536", "FirstBurstLength", "65536"},
        {"FirstBurstLength=16777216", "FirstBurstLength", "Reject"},
        {"MaxBurstLength=1024\0FirstBurstLength=8192", "FirstBurstLength", "1024"},
        {"DefaultTime2Wait=5", "DefaultTime2Wait", "5"},
        {"DefaultTime2Retain=60", "DefaultTime2Retain", "0"},
        {"MaxOutstandingR2T=8", "MaxOutstandingR2T", "8"},
        {"MaxOutstandingR2T=1000", "MaxOutstandingR2T", "64"},
        {"DataPDUInOrder=No", "DataPDUInOrder", "Yes"},
        {"DataSequenceInOrder=No", "DataSequenceInOrder", "Yes"},
        {"ErrorRecoveryLevel=2", "ErrorRecoveryLevel", "0"},
        {"ErrorRecoveryLevel=3", "ErrorRecoveryLevel", "Reject"},
        {"TaskReporting=FastAbort,RFC3720", "TaskReporting", "RFC3720"},
        {"iSCSIProtocolLevel=2", "iSCSIProtocolLevel", "1"},
        {"IFMarker=No", "IFMarker", "No"},
        {"OFMarker=Yes", "OFMarker", "No"},
        {"OFMarkInt=1~2", "OFMarkInt", "Reject"},
        {"AuthMethod=None", "AuthMethod", "Reject"}, /* belongs to the security stage */
        {"X-org.example.key=1", "X-org.example.key", "NotUnderstood"},
        {"SendTargets=All", "SendTargets", "Reject"},
        {"InitiatorAlias=me", "InitiatorAlias", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer one;
        struct iskra_pdu_login_rsp rsp;
        struct answer answer;
        char text[512];
        size_t len = sizeof(NAMES);
        memcpy(text, NAMES, len);
        size_t first = strlen(rows[i].offer) + 1;
        bool two = strncmp(rows[i].offer, "MaxBurstLength=1024", 19) == 0;
        size_t offer_len = two ? sizeof("MaxBurstLength=1024\0FirstBurstLength=8192") : first;
        memcpy(text + len, rows[i].offer, offer_len);
        peer_open(&one, target);
        peer_login_send(&one, 1, 3, true, text, (uint32_t)(len + offer_len));
        peer_login_expect(&one, &rsp, &answer);
        if (strcmp(answer_value(&answer, rows[i].key), rows[i].result) != 0)
            fail_msg("%s: answer %s, expected %s", rows[i].offer,
                     answer_value(&answer, rows[i].key), rows[i].result);
        assert_true(rsp.transit);
        peer_close(&one);
    }
}

static void what_the_default_does_not_allow_is_offered_and_awaited(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_burst = 65536;
    options.first_burst = 4096;
    struct iskra_target *small = peer_target(&options);
    struct peer one;
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_open(&one, small);
    peer_login_send(&one, 1, 3, true, TEXT(NAMES));
    peer_login_expect(&one, &rsp, &answer);
    assert_false(rsp.transit);
    assert_string_equal(answer_value(&answer, "MaxBurstLength"), "65536");
    assert_string_equal(answer_value(&answer, "FirstBurstLength"), "4096");
    peer_login_send(&one, 1, 3, true, TEXT("MaxBurstLength=32768\0FirstBurstLength=4096"));
    peer_login_expect(&one, &rsp, &answer);
    assert_true(rsp.transit);
    assert_int_equal(answer.len, 0);
    peer_close(&one);
    iskra_target_free(small);
}

/* RFC 7143 13.13, 13.14: bursts are irrelevant to a discovery session; an offer would be answered
 * "Irrelevant". */
static void a_discovery_is_not_offered_what_is_irrelevant_to_it(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_burst = 65536;
    options.first_burst = 4096;
    options.immediate_data = false;
    struct iskra_target *small = peer_target(&options);
    struct peer one;
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_open(&one, small);
    peer_login_send(&one, 1, 3, true, TEXT("InitiatorName=iqn.a:b\0SessionType=Discovery"));
    peer_login_expect(&one, &rsp, &answer);
    assert_true(rsp.transit);
    assert_string_equal(answer_value(&answer, "MaxRecvDataSegmentLength"), "262144");
    assert_string_equal(answer_value(&answer, "MaxBurstLength"), "");
    assert_string_equal(answer_value(&answer, "FirstBurstLength"), "");
    assert_string_equal(answer_value(&answer, "ImmediateData"), "");
    peer_close(&one);
    iskra_target_free(small);
}

static void an_answer_beyond_the_offer_is_refused(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_burst = options.first_burst = 65536;
    struct iskra_target *small = peer_target(&options);
    struct peer one;
    struct iskra_pdu_login_rsp rsp;
    peer_open(&one, small);
    peer_login_send(&one, 1, 3, true, TEXT(NAMES));
    peer_login_expect(&one, &rsp, NULL);
    peer_login_send(&one, 1, 3, true, TEXT("MaxBurstLength=131072"));
    peer_login_refused(&one, 0x0200);
    peer_close(&one);
    iskra_target_free(small);
}

static void digests_can_be_declined(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.header_digest = options.data_digest = false;
    struct iskra_target *plain = peer_target(&options);
    struct peer one;
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_open(&one, plain);
    peer_login_send(&one, 1, 3, true, TEXT(NAMES "\0HeaderDigest=CRC32C,None\0DataDigest=CRC32C"));
    peer_login_expect(&one, &rsp, &answer);
    assert_string_equal(answer_value(&answer, "HeaderDigest"), "None");
    assert_string_equal(answer_value(&answer, "DataDigest"), "Reject");
    peer_close(&one);
    iskra_target_free(plain);
}

struct refusal {
    const char *text;
    uint32_t len;
    uint16_t status;
};

static void refused_text(void **state)
{
    const struct refusal *r = *state;
    setup(NULL);
    peer_login_send(&peer, 1, 3, true, r->text, r->len);
    peer_login_refused(&peer, r->status);
    struct iskra_target_stats stats;
    iskra_target_stats(target, &stats);
    assert_int_equal(stats.session_cnt, 0);
    teardown(NULL);
}
#define REFUSAL(name, status_, literal)                                                            \
    static struct refusal name = {(literal), sizeof(literal), (status_)}
REFUSAL(wrong_target_name, 0x0203, "InitiatorName=iqn.a:b\0TargetName=iqn.2026-11.org.example:no");
REFUSAL(wrong_target_name_of_a_discovery, 0x0203,
        "InitiatorName=iqn.a:b\0SessionType=Discovery\0TargetName=iqn.2026-11.org.example:no");
REFUSAL(missing_initiator_name, 0x0207, "TargetName=" PEER_TARGET);
REFUSAL(missing_target_name, 0x0207, "InitiatorName=iqn.a:b");
REFUSAL(unknown_session_type, 0x0209, NAMES "\0SessionType=Party");
REFUSAL(a_key_twice, 0x0200, NAMES "\0MaxBurstLength=512\0MaxBurstLength=1024");
REFUSAL(text_without_equals, 0x0200, NAMES "\0Rubbish");
REFUSAL(empty_initiator_name, 0x0200, "InitiatorName=\0TargetName=" PEER_TARGET);
REFUSAL(a_key_only_the_target_may_tell, 0x0200, NAMES "\0TargetAddress=1.2.3.4");
static struct refusal text_without_end = {NAMES "\0InitialR2T=No",
                                          sizeof(NAMES "\0InitialR2T=No") - 1, 0x0200};

static void an_initiator_name_of_224_bytes_is_refused(void **state)
{
    char text[512];
    int len = sprintf(text, "InitiatorName=%0224d", 0) + 1;
    peer_login_send(&peer, 1, 3, true, text, (uint32_t)len);
    peer_login_refused(&peer, 0x0200);
}

static void auth_methods_without_none_are_refused(void **state)
{
    peer_login_send(&peer, 0, 1, true, TEXT(NAMES "\0AuthMethod=CHAP,KRB5"));
    peer_login_refused(&peer, 0x0201);
}

static void a_later_version_is_refused(void **state)
{
    struct iskra_pdu_login req = {
        .transit = true, .csg = 1, .nsg = 3, .version_max = 2, .version_min = 1, .itt = 0x55};
    memcpy(req.isid, peer.isid, ISKRA_ISID_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_login_encode(&req, bhs);
    peer_send(&peer, bhs, TEXT(NAMES));
    peer_login_refused(&peer, 0x0205);
}

static void stages_that_do_not_exist_are_refused(void **state)
{
    static const uint8_t stages[][2] = {{2, 3}, {3, 3}, {1, 1}, {1, 0}, {0, 2}, {1, 2}};
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        struct peer one;
        peer_open(&one, target);
        peer_login_send(&one, stages[i][0], stages[i][1], true, TEXT(NAMES));
        peer_login_refused(&one, 0x0200);
        peer_close(&one);
    }
}

static void going_back_a_stage_is_refused(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    peer_login_send(&peer, 0, 1, true, TEXT(NAMES));
    peer_login_expect(&peer, &rsp, NULL);
    peer_login_send(&peer, 0, 1, true, NULL, 0);
    peer_login_refused(&peer, 0x0200);
}

static void another_isid_in_the_middle_is_refused(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    peer_login_send(&peer, 0, 1, true, TEXT(NAMES));
    peer_login_expect(&peer, &rsp, NULL);
    peer.isid[5]++;
    peer_login_send(&peer, 1, 3, true, NULL, 0);
    peer.isid[5]--;
    peer_login_refused(&peer, 0x0200);
}

static void a_scsi_command_during_login_is_refused(void **state)
{
    struct iskra_pdu_login_rsp rsp;
    uint8_t cdb[ISKRA_CDB_BHS_LEN] = {0};
    peer_login_send(&peer, 0, 1, true, TEXT(NAMES));
    peer_login_expect(&peer, &rsp, NULL);
    peer_command(&peer, 0, cdb, 0, false);
    peer_login_refused(&peer, 0x020b);
}

static void a_scsi_command_before_login_ends_the_connection(void **state)
{
    uint8_t cdb[ISKRA_CDB_BHS_LEN] = {0};
    peer_command(&peer, 0, cdb, 0, false);
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_true(peer_silent(&peer));
    assert_int_equal(iskra_target_conn_error(peer.conn)->code, ISKRA_E_PROTOCOL);
}

static void more_text_than_8192_bytes_is_refused(void **state)
{
    static char text[8000];
    struct iskra_pdu_login req = {.cont = true, .csg = 1, .cid = 1, .itt = 0x55};
    memcpy(req.isid, peer.isid, ISKRA_ISID_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    struct iskra_pdu_login_rsp rsp;
    iskra_login_encode(&req, bhs);
    peer_send(&peer, bhs, text, sizeof(text));
    peer_login_expect(&peer, &rsp, NULL);
    peer_send(&peer, bhs, text, sizeof(text));
    peer_login_refused(&peer, 0x0200);
}

static void a_login_of_9000_bytes_ends_the_connection(void **state)
{
    static char text[9000];
    peer_login_send(&peer, 1, 3, true, text, sizeof(text));
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_true(peer_silent(&peer));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define R(name)                                                                                    \
    {                                                                                              \
        "refused: " #name, refused_text, NULL, NULL, &name                                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_login_is_answered_with_these_bytes),
        T(security_then_operational_then_full_feature),
        T(security_straight_to_full_feature),
        T(without_t_the_stage_stays),
        T(text_may_be_spread_over_requests_by_the_c_bit),
        T(a_long_answer_is_spread_by_the_c_bit),
        T(every_key_gets_its_result),
        T(what_the_default_does_not_allow_is_offered_and_awaited),
        T(a_discovery_is_not_offered_what_is_irrelevant_to_it),
        T(an_answer_beyond_the_offer_is_refused),
        T(digests_can_be_declined),
        R(wrong_target_name),
        R(wrong_target_name_of_a_discovery),
        R(missing_initiator_name),
        R(missing_target_name),
        R(unknown_session_type),
        R(a_key_twice),
        R(text_without_equals),
        R(text_without_end),
        R(empty_initiator_name),
        R(a_key_only_the_target_may_tell),
        T(an_initiator_name_of_224_bytes_is_refused),
        T(auth_methods_without_none_are_refused),
        T(a_later_version_is_refused),
        T(stages_that_do_not_exist_are_refused),
        T(going_back_a_stage_is_refused),
        T(another_isid_in_the_middle_is_refused),
        T(a_scsi_command_during_login_is_refused),
        T(a_scsi_command_before_login_ends_the_connection),
        T(more_text_than_8192_bytes_is_refused),
        T(a_login_of_9000_bytes_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
