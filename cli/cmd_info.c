/* iskra info: all that is known of a LUN and of the session it is reached through. */
#include "cli.h"

#include <stdio.h>

#include <iskra/scsi.h>
#include <iskra/session.h>

#include "json.h"

/* One fact at a time, as a line of text or a member of a JSON object. */
struct facts {
    struct json_object *json; /* NULL: text */
};

static void heading(const struct facts *facts, const char *title)
{
    if (!facts->json)
        cli_print("%s\n", title);
}

static void text_put(const struct facts *facts, const char *key, const char *text)
{
    if (facts->json)
        cli_json_text(facts->json, key, text);
    else
        cli_print("  %-26s %s\n", key, text[0] ? text : "-");
}

static void number_put(const struct facts *facts, const char *key, uint64_t number)
{
    if (facts->json)
        cli_json_number(facts->json, key, number);
    else
        cli_print("  %-26s %llu\n", key, (unsigned long long)number);
}

static void flag_put(const struct facts *facts, const char *key, bool value)
{
    if (facts->json)
        cli_json_bool(facts->json, key, value);
    else
        cli_print("  %-26s %s\n", key, value ? "yes" : "no");
}

static void size_put(const struct facts *facts, const char *key, uint64_t size)
{
    char words[CLI_SIZE_TEXT_LEN];
    if (facts->json)
        cli_json_number(facts->json, key, size);
    else
        cli_print("  %-26s %llu (%s)\n", key, (unsigned long long)size,
                  cli_size_format(size, words));
}

static void lun_put(const struct facts *facts, const struct iskra_lun_info *lun)
{
    heading(facts, "logical unit");
    number_put(facts, "lun", lun->lun);
    text_put(facts, "type", iskra_device_type_name(lun->type));
    text_put(facts, "vendor", lun->vendor);
    text_put(facts, "product", lun->product);
    text_put(facts, "revision", lun->revision);
    text_put(facts, "serial", lun->serial);
    text_put(facts, "identity", lun->identity);
    if (lun->block_len) {
        size_put(facts, "size", lun->block_cnt * lun->block_len);
        number_put(facts, "block_size", lun->block_len);
        number_put(facts, "blocks", lun->block_cnt);
        number_put(facts, "physical_block_size", lun->physical_block_len);
        number_put(facts, "max_transfer", lun->max_transfer_len);
        number_put(facts, "optimal_transfer", lun->optimal_transfer_len);
        flag_put(facts, "write_protected", lun->write_protected);
        flag_put(facts, "write_cache", lun->write_cache);
        flag_put(facts, "fua", lun->fua);
        flag_put(facts, "thin", lun->thin);
        flag_put(facts, "unmap", lun->can_unmap);
        flag_put(facts, "unmapped_zeroes", lun->unmapped_zeroes);
        number_put(facts, "max_compare", lun->max_compare_len);
    }
}

static void session_put(const struct facts *facts, const struct iskra_session_info *session)
{
    char isid[2 * sizeof(session->isid) + 1];
    for (unsigned i = 0; i < sizeof(session->isid); i++)
        snprintf(isid + 2 * i, 3, "%02x", session->isid[i]);
    heading(facts, "session");
    text_put(facts, "target", session->target_name);
    text_put(facts, "alias", session->target_alias);
    text_put(facts, "portal", session->portal_address);
    number_put(facts, "tpgt", session->tpgt);
    text_put(facts, "isid", isid);
    number_put(facts, "tsih", session->tsih);
    text_put(facts, "state", session->state);
    number_put(facts, "cmds_max", session->cmds_max);
    number_put(facts, "rx_bytes", session->rx_bytes);
    number_put(facts, "tx_bytes", session->tx_bytes);
}

/* By the names of RFC 7143 section 13. MaxRecvDataSegmentLength is declared by each side for
 * itself: ours under its own name, the target's as what we may send. */
static void keys_put(const struct facts *facts, const struct iskra_session_info *session)
{
    static const char *const digests[] = {"None", "CRC32C"};
    static const char *const yes_no[] = {"No", "Yes"};
    heading(facts, "negotiated");
    text_put(facts, "AuthMethod", session->auth_method);
    if (session->chap_algorithm[0]) {
        text_put(facts, "CHAP_A", session->chap_algorithm);
        text_put(facts, "CHAP_mutual", yes_no[session->chap_mutual != 0]);
    }
    text_put(facts, "HeaderDigest", digests[session->header_digest != 0]);
    text_put(facts, "DataDigest", digests[session->data_digest != 0]);
    text_put(facts, "InitialR2T", yes_no[session->initial_r2t != 0]);
    text_put(facts, "ImmediateData", yes_no[session->immediate_data != 0]);
    number_put(facts, "MaxRecvDataSegmentLength", session->max_recv_data_segment_length);
    number_put(facts, "MaxXmitDataSegmentLength", session->max_xmit_data_segment_length);
    number_put(facts, "FirstBurstLength", session->first_burst_length);
    number_put(facts, "MaxBurstLength", session->max_burst_length);
    number_put(facts, "MaxOutstandingR2T", session->max_outstanding_r2t);
    number_put(facts, "MaxConnections", session->max_connections);
    number_put(facts, "DefaultTime2Wait", session->default_time2wait);
    number_put(facts, "DefaultTime2Retain", session->default_time2retain);
    number_put(facts, "ErrorRecoveryLevel", session->error_recovery_level);
}

static void initiator_put(const struct facts *facts, const struct iskra *ctx)
{
    heading(facts, "initiator");
    text_put(facts, "name", iskra_initiator_name(ctx));
    text_put(facts, "name_source", iskra_initiator_name_source(ctx));
}

static void info_print(const struct cli *cli, const struct iskra_lun *lun)
{
    struct iskra_lun_info lun_info;
    struct iskra_session_info session;
    iskra_lun_info(lun, &lun_info);
    iskra_session_info(lun, &session);
    if (!cli->json) {
        struct facts text = {NULL};
        lun_put(&text, &lun_info);
        session_put(&text, &session);
        keys_put(&text, &session);
        initiator_put(&text, cli->ctx);
        return;
    }
    struct facts parts[4];
    static const char *const names[] = {"lun", "session", "negotiated", "initiator"};
    for (unsigned i = 0; i < 4; i++)
        parts[i].json = cli_json_object();
    lun_put(&parts[0], &lun_info);
    session_put(&parts[1], &session);
    keys_put(&parts[2], &session);
    initiator_put(&parts[3], cli->ctx);
    struct json_object *root = cli_json_object();
    for (unsigned i = 0; i < 4; i++)
        cli_json_put(root, names[i], parts[i].json);
    cli_json_print(root);
}

static int info_run(struct cli *cli)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    int exit_code = cli_initiator_new(cli, NULL);
    if (exit_code)
        return exit_code;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    info_print(cli, lun);
    (void)iskra_close_sync(lun); /* everything was said already */
    return CLI_OK;
}

const struct cli_command cli_cmd_info = {
    .name = "info",
    .args = "URL",
    .summary = "tells about a LUN, its session and what was negotiated",
    .arg_min = 1,
    .arg_max = 1,
    .run = info_run,
};
