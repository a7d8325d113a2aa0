/* Every key of RFC 7143 section 13 and 12: what a target may say of it and what not, as an answer,
 * a declaration or a proposal, in its stage and out of it. Every refusal names the key. */
#include "control_test.h"

#include "control/keys.h"

enum when {
    ANSWER,    /* everything was offered in a normal session */
    PROPOSAL,  /* nothing was offered yet */
    DISCOVERY, /* everything was offered in a discovery session */
    SECURITY,  /* only AuthMethod was offered */
};

struct row {
    enum when when;
    const char *says;
    const char *reply;  /* what we say to it; NULL: refused */
    const char *refuse; /* a word of the refusal beside the key */
};

static const struct row rows[] = {
    {SECURITY, "AuthMethod=None;", "", NULL},
    {SECURITY, "AuthMethod=CHAP;", NULL, "none is configured"},
    {SECURITY, "AuthMethod=KRB5;", NULL, "none is configured"},
    {SECURITY, "AuthMethod=Reject;", NULL, "none is configured"},
    {SECURITY, "AuthMethod=None;AuthMethod=None;", NULL, "twice"},
    {ANSWER, "AuthMethod=None;", NULL, "outside the security stage"},
    {SECURITY, "CHAP_A=5;", NULL, "not under way"},
    {ANSWER, "CHAP_R=0x00;", NULL, "not under way"},

    {ANSWER, "HeaderDigest=None;", "", NULL},
    {ANSWER, "HeaderDigest=CRC32C;", NULL, "not one of those offered"},
    {ANSWER, "HeaderDigest=None,CRC32C;", NULL, "not one of those offered"},
    {ANSWER, "HeaderDigest=Irrelevant;", NULL, "that is not"},
    {ANSWER, "HeaderDigest=NotUnderstood;", NULL, "understand"},
    {PROPOSAL, "HeaderDigest=CRC32C,None;", "HeaderDigest=None;", NULL},
    {PROPOSAL, "HeaderDigest=CRC32C;", "HeaderDigest=Reject;", NULL},
    {SECURITY, "HeaderDigest=None;", NULL, "in the security stage"},
    {ANSWER, "DataDigest=None;", "", NULL},
    {ANSWER, "DataDigest=CRC32C;", NULL, "not one of those offered"},
    {PROPOSAL, "DataDigest=X-a,None;", "DataDigest=None;", NULL},
    {DISCOVERY, "DataDigest=None;", "", NULL},
    {DISCOVERY, "DataDigest=CRC32C;", NULL, "not one of those offered"},

    {ANSWER, "MaxConnections=1;", "", NULL},
    {ANSWER, "MaxConnections=2;", NULL, "the offer was 1"},
    {ANSWER, "MaxConnections=0;", NULL, "not in 1..65535"},
    {PROPOSAL, "MaxConnections=8;", "MaxConnections=1;", NULL},
    {DISCOVERY, "MaxConnections=8;", "MaxConnections=Irrelevant;", NULL},

    {ANSWER, "InitialR2T=Yes;", "", NULL},
    {ANSWER, "InitialR2T=No;", "", NULL},
    {ANSWER, "InitialR2T=Irrelevant;", NULL, "that is not"},
    {ANSWER, "InitialR2T=Maybe;", NULL, "neither Yes nor No"},
    {PROPOSAL, "InitialR2T=No;", "InitialR2T=No;", NULL},
    {DISCOVERY, "InitialR2T=No;", "InitialR2T=Irrelevant;", NULL},
    {SECURITY, "InitialR2T=No;", NULL, "in the security stage"},
    {ANSWER, "ImmediateData=Yes;", "", NULL},
    {ANSWER, "ImmediateData=No;", "", NULL},
    {ANSWER, "ImmediateData=;", NULL, "neither Yes nor No"},
    {PROPOSAL, "ImmediateData=No;", "ImmediateData=No;", NULL},
    {DISCOVERY, "ImmediateData=No;", "ImmediateData=Irrelevant;", NULL},

    {ANSWER, "MaxBurstLength=512;FirstBurstLength=512;", "", NULL},
    {ANSWER, "MaxBurstLength=0x1000;FirstBurstLength=4096;", "", NULL},
    {ANSWER, "MaxBurstLength=16777215;", NULL, "the smaller counts"},
    {ANSWER, "MaxBurstLength=511;", NULL, "not in 512..16777215"},
    {ANSWER, "MaxBurstLength=Irrelevant;", NULL, "that is not"},
    {PROPOSAL, "MaxBurstLength=16777215;", "MaxBurstLength=16776192;", NULL},
    {ANSWER, "FirstBurstLength=262144;", "", NULL},
    {ANSWER, "FirstBurstLength=262145;", NULL, "the offer was 262144"},
    {ANSWER, "FirstBurstLength=16777216;", NULL, "not in 512..16777215"},
    {ANSWER, "FirstBurstLength=Irrelevant;InitialR2T=Yes;ImmediateData=No;", "", NULL},
    {ANSWER, "FirstBurstLength=Irrelevant;InitialR2T=No;ImmediateData=No;", NULL, "that is not"},
    {ANSWER, "FirstBurstLength=8192;MaxBurstLength=4096;", NULL, "larger than MaxBurstLength"},
    {DISCOVERY, "FirstBurstLength=512;", "FirstBurstLength=Irrelevant;", NULL},

    {ANSWER, "DefaultTime2Wait=2;", "", NULL},
    {ANSWER, "DefaultTime2Wait=3600;", "", NULL},
    {ANSWER, "DefaultTime2Wait=1;", NULL, "the larger counts"},
    {ANSWER, "DefaultTime2Wait=3601;", NULL, "not in 0..3600"},
    {PROPOSAL, "DefaultTime2Wait=1;", "DefaultTime2Wait=2;", NULL},
    {ANSWER, "DefaultTime2Retain=0;", "", NULL},
    {ANSWER, "DefaultTime2Retain=1;", NULL, "the smaller counts"},
    {PROPOSAL, "DefaultTime2Retain=20;", "DefaultTime2Retain=0;", NULL},

    {ANSWER, "MaxOutstandingR2T=1;", "", NULL},
    {ANSWER, "MaxOutstandingR2T=65535;", "", NULL},
    {ANSWER, "MaxOutstandingR2T=0;", NULL, "not in 1..65535"},
    {DISCOVERY, "MaxOutstandingR2T=4;", "MaxOutstandingR2T=Irrelevant;", NULL},
    {ANSWER, "DataPDUInOrder=Yes;", "", NULL},
    {ANSWER, "DataPDUInOrder=No;", NULL, "the offer was Yes"},
    {PROPOSAL, "DataPDUInOrder=No;", "DataPDUInOrder=Yes;", NULL},
    {DISCOVERY, "DataPDUInOrder=No;", "DataPDUInOrder=Irrelevant;", NULL},
    {ANSWER, "DataSequenceInOrder=Yes;", "", NULL},
    {ANSWER, "DataSequenceInOrder=No;", NULL, "the offer was Yes"},
    {PROPOSAL, "DataSequenceInOrder=No;", "DataSequenceInOrder=Yes;", NULL},
    {ANSWER, "ErrorRecoveryLevel=0;", "", NULL},
    {ANSWER, "ErrorRecoveryLevel=1;", NULL, "the offer was 0"},
    {ANSWER, "ErrorRecoveryLevel=3;", NULL, "not in 0..2"},
    {PROPOSAL, "ErrorRecoveryLevel=2;", "ErrorRecoveryLevel=0;", NULL},
    {DISCOVERY, "ErrorRecoveryLevel=0;", "", NULL},

    {ANSWER, "MaxRecvDataSegmentLength=512;", "", NULL},
    {ANSWER, "MaxRecvDataSegmentLength=16777215;", "", NULL},
    {ANSWER, "MaxRecvDataSegmentLength=511;", NULL, "not in 512..16777215"},
    {ANSWER, "MaxRecvDataSegmentLength=1024;MaxRecvDataSegmentLength=2048;", NULL, "before"},
    {ANSWER, "MaxRecvDataSegmentLength=Reject;", NULL, "not a number"},
    {SECURITY, "MaxRecvDataSegmentLength=65536;", "", NULL},
    {DISCOVERY, "MaxRecvDataSegmentLength=65536;", "", NULL},
    {SECURITY, "TargetPortalGroupTag=1;TargetAlias=disks;", "", NULL},
    {ANSWER, "TargetPortalGroupTag=0;", "", NULL},
    {ANSWER, "TargetPortalGroupTag=65536;", NULL, "not in 0..65535"},
    {ANSWER, "TargetPortalGroupTag=1;TargetPortalGroupTag=2;", NULL, "before"},
    {ANSWER, "TargetAlias=;", "", NULL},
    {ANSWER, "TargetAddress=192.0.2.1;", "", NULL},
    {ANSWER, "TargetName=iqn.a:b;", "", NULL},
    {ANSWER, "TargetName=Reject;", NULL, "rejects"},
    {ANSWER, "InitiatorName=Reject;", NULL, "rejects"},
    {ANSWER, "InitiatorAlias=NotUnderstood;", "", NULL},
    {ANSWER, "SessionType=Reject;", NULL, "rejects"},
    {ANSWER, "SendTargets=All;", "", NULL},

    {ANSWER, "TaskReporting=RFC3720;", "TaskReporting=RFC3720;", NULL},
    {ANSWER, "TaskReporting=FastAbort,ResponseFence,RFC3720;", "TaskReporting=RFC3720;", NULL},
    {ANSWER, "TaskReporting=ResponseFence;", "TaskReporting=Reject;", NULL},
    {DISCOVERY, "TaskReporting=RFC3720;", "TaskReporting=Irrelevant;", NULL},
    {ANSWER, "iSCSIProtocolLevel=2;", "iSCSIProtocolLevel=1;", NULL},
    {ANSWER, "iSCSIProtocolLevel=0;", "iSCSIProtocolLevel=0;", NULL},
    {ANSWER, "iSCSIProtocolLevel=32;", NULL, "not in 0..31"},
    {DISCOVERY, "iSCSIProtocolLevel=2;", "iSCSIProtocolLevel=Irrelevant;", NULL},
    {ANSWER, "iSCSIProtocolLevel=1;iSCSIProtocolLevel=1;", NULL, "twice"},
    {ANSWER, "IFMarker=Yes;", "IFMarker=Reject;", NULL},
    {ANSWER, "OFMarker=No;", "OFMarker=Reject;", NULL},
    {ANSWER, "IFMarkInt=1~65535;", "IFMarkInt=Reject;", NULL},
    {SECURITY, "OFMarkInt=2048;", "OFMarkInt=Reject;", NULL},
    {ANSWER, "X-org.example.Key=1;", "X-org.example.Key=NotUnderstood;", NULL},
    {SECURITY, "X#Y=1;", "X#Y=NotUnderstood;", NULL},
    {ANSWER, "headerdigest=None;", "headerdigest=NotUnderstood;", NULL},
};

/* The refused key is the last one of the row, but for the last word on a value, which only the end
 * of the negotiation can say. */
static void key_of(const struct row *row, char *key, size_t size)
{
    const char *end = strstr(row->refuse, "MaxBurstLength") || strstr(row->refuse, "that is not")
                          ? row->says
                          : row->says + strlen(row->says) - 1;
    while (end > row->says && end[-1] != ';')
        end--;
    (void)snprintf(key, size, "%.*s", (int)strcspn(end, "="), end);
}

static int play(struct iskra_keys *keys, const struct row *row, struct iskra_text_out *out,
                struct iskra_error *err)
{
    struct iskra_key_offer offer;
    char text[256];
    size_t len = segment(text, sizeof(text), row->says);
    iskra_key_offer_default(&offer, row->when == DISCOVERY);
    iskra_keys_init(keys, &offer);
    if (row->when != PROPOSAL)
        iskra_keys_offer_security(keys, out);
    if (row->when == ANSWER || row->when == DISCOVERY)
        iskra_keys_offer_operational(keys, out);
    out->len = 0;
    int ret = iskra_keys_receive_all(keys, (struct iskra_slice){text, len}, out, err);
    return ret < 0 ? ret : iskra_keys_finish(keys, err);
}

static void every_key_takes_what_is_legal_and_names_itself_in_what_it_refuses(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct iskra_keys keys;
        struct iskra_error err = {0};
        char buf[8192], key[64];
        struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
        int ret = play(&keys, row, &out, &err);
        if (!row->refuse) {
            if (ret < 0)
                fail_msg("%s was refused: %s", row->says, err.text);
            assert_string_equal(readable(buf, out.len), row->reply);
            continue;
        }
        key_of(row, key, sizeof(key));
        if (ret == 0 || !strstr(err.text, key) || !strstr(err.text, row->refuse))
            fail_msg("%s: %d '%s', expected '%s' and '%s'", row->says, ret, err.text, key,
                     row->refuse);
        assert_true(err.code == ISKRA_E_NEGOTIATION || err.code == ISKRA_E_AUTH);
    }
}

/* RFC 7143 6.2.2: silence is an answer where our word alone decides. */
static void what_our_word_decides_needs_no_answer(void **state)
{
    struct iskra_keys keys;
    struct iskra_key_offer offer;
    struct iskra_error err = {0};
    char buf[1024];
    struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
    iskra_key_offer_default(&offer, false);
    offer.immediate_data = false;
    offer.initial_r2t = true;
    iskra_keys_init(&keys, &offer);
    iskra_keys_offer_operational(&keys, &out);
    assert_int_equal(iskra_keys_finish(&keys, &err), 0);
    assert_false(keys.results.immediate_data);
    assert_true(keys.results.initial_r2t);
    assert_true(keys.results.data_pdu_in_order);
}

static void a_demanded_digest_is_not_done_without(void **state)
{
    static const char *const names[] = {"HeaderDigest", "DataDigest"};
    for (unsigned i = 0; i < 2; i++) {
        struct iskra_keys keys;
        struct iskra_key_offer offer;
        struct iskra_error err = {0};
        char buf[1024];
        struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
        iskra_key_offer_default(&offer, false);
        *(i == 0 ? &offer.header_digest : &offer.data_digest) =
            (struct iskra_digest_prefs){1, {ISKRA_DIGEST_CRC32C}};
        iskra_keys_init(&keys, &offer);
        iskra_keys_offer_operational(&keys, &out);
        assert_int_equal(iskra_keys_finish(&keys, &err), -EPROTO);
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, "does not answer"));
    }
}

/* Only MaxRecvDataSegmentLength may be declared anew; the rest was settled in the login. */
static void ffp_18_5_what_the_login_settled_is_not_negotiated_again(void **state)
{
    static const char text[] = "MaxRecvDataSegmentLength=4096\0MaxBurstLength=512\0ImmediateData="
                               "Reject\0AuthMethod=None\0X-a=1";
    struct iskra_keys keys;
    struct iskra_key_offer offer;
    struct iskra_error err = {0};
    char buf[1024];
    struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
    iskra_key_offer_default(&offer, false);
    iskra_keys_init(&keys, &offer);
    iskra_keys_offer_operational(&keys, &out);
    out.len = 0;
    assert_int_equal(iskra_keys_finish(&keys, &err), 0);
    uint32_t max_burst_len = keys.results.max_burst_len;
    for (unsigned i = 0; i < 2; i++) {
        iskra_keys_reopen(&keys);
        out.len = 0;
        assert_int_equal(
            iskra_keys_receive_all(&keys, (struct iskra_slice){text, sizeof(text)}, &out, &err), 0);
        assert_string_equal(readable(buf, out.len),
                            "MaxBurstLength=Reject;AuthMethod=Reject;X-a=NotUnderstood;");
    }
    assert_int_equal(keys.results.max_xmit_data_len, 4096);
    assert_int_equal(keys.results.max_burst_len, max_burst_len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_takes_what_is_legal_and_names_itself_in_what_it_refuses),
        cmocka_unit_test(what_our_word_decides_needs_no_answer),
        cmocka_unit_test(a_demanded_digest_is_not_done_without),
        cmocka_unit_test(ffp_18_5_what_the_login_settled_is_not_negotiated_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
