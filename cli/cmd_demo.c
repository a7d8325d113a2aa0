/* iskra demo: everything the program can do, on the embedded target, in a few seconds.
 *
 * Each step checks what it sees; the first that sees something else ends the demonstration. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/session.h>
#include <iskra/trace.h>

#include "demo_target.h"
#include "json.h"
#include "reader.h"
#include "writer.h"

struct demo {
    struct cli *cli;
    struct demo_target target;
    struct json_object *json; /* NULL: text */
    const char *step;
    char portal[80], lun_url[240];
    char detail[200]; /* of the step that runs: what it saw */
};

__attribute__((format(printf, 2, 3))) static int step_fail(const struct demo *demo, const char *fmt,
                                                           ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    cli_error(demo->cli, "%s: %s", demo->step, why);
    return CLI_OTHER;
}

__attribute__((format(printf, 2, 3))) static void detail_set(struct demo *demo, const char *fmt,
                                                             ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(demo->detail, sizeof(demo->detail), fmt, ap);
    va_end(ap);
}

/* ---- the steps ---- */

/* Both ways, from the environment of this process, where every open finds them. NULL: forget. */
static int credentials_set(const struct demo_target *target)
{
    const char *const pairs[][2] = {
        {"LIBISCSI_CHAP_USERNAME", DEMO_USER},
        {"LIBISCSI_CHAP_PASSWORD", target ? target->password : NULL},
        {"LIBISCSI_CHAP_TARGET_USERNAME", DEMO_TARGET_USER},
        {"LIBISCSI_CHAP_TARGET_PASSWORD", target ? target->target_password : NULL},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char *old = target ? NULL : getenv(pairs[i][0]);
        if (old)
            explicit_bzero(old, strlen(old));
        if (target ? setenv(pairs[i][0], pairs[i][1], 1) : unsetenv(pairs[i][0]))
            return -1;
    }
    return 0;
}

static int target_step(struct demo *demo)
{
    struct iskra_error err = {0};
    if (demo_target_start(&demo->target, &err))
        return step_fail(demo, "%s", err.text);
    if (credentials_set(&demo->target))
        return step_fail(demo, "no memory");
    snprintf(demo->portal, sizeof(demo->portal), "%s", demo->target.address);
    snprintf(demo->lun_url, sizeof(demo->lun_url), "iscsi://%s/%s/0?auth=sha3-256,sha-256,sha1,md5",
             demo->portal, DEMO_TARGET_NAME);
    detail_set(demo, "listening on %s", demo->portal);
    return cli_initiator_new(demo->cli, "iqn.2026-11.io.iskra:demo") ? CLI_OTHER : CLI_OK;
}

static int entry_count(void *arg, const struct iskra_portal_entry *entry)
{
    *(unsigned *)arg += strcmp(entry->target_name, DEMO_TARGET_NAME) == 0;
    return 0;
}

static int discover_step(struct demo *demo)
{
    struct iskra_error err = {0};
    unsigned found_cnt = 0;
    if (iskra_discover_sync(demo->cli->ctx, demo->portal, entry_count, &found_cnt, &err))
        return step_fail(demo, "%s", err.text);
    if (found_cnt != 1)
        return step_fail(demo, "found %s %u times, expected 1", DEMO_TARGET_NAME, found_cnt);
    detail_set(demo, "found %s", DEMO_TARGET_NAME);
    return CLI_OK;
}

struct lun_sum {
    unsigned cnt;
    uint64_t len;
};

static int lun_count(void *arg, const struct iskra_lun_info *lun)
{
    struct lun_sum *sum = arg;
    sum->cnt++;
    sum->len += lun->block_cnt * lun->block_len;
    return 0;
}

static int ls_step(struct demo *demo)
{
    struct iskra_error err = {0};
    struct lun_sum sum = {0};
    char size[CLI_SIZE_TEXT_LEN];
    if (iskra_luns_sync(demo->cli->ctx, demo->lun_url, lun_count, &sum, &err))
        return step_fail(demo, "%s", err.text);
    if (sum.cnt != 2)
        return step_fail(demo, "%u LUNs, expected 2", sum.cnt);
    detail_set(demo, "%u LUNs, %s together", sum.cnt, cli_size_format(sum.len, size));
    return CLI_OK;
}

static int info_step(struct demo *demo)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    if (iskra_open_sync(demo->cli->ctx, demo->lun_url, &lun, &err))
        return step_fail(demo, "%s", err.text);
    struct iskra_lun_info info;
    struct iskra_session_info session;
    iskra_lun_info(lun, &info);
    iskra_session_info(lun, &session);
    (void)iskra_close_sync(lun); /* what is to be seen was seen */
    uint64_t len = info.block_cnt * info.block_len;
    if (len != DEMO_DISK_LEN)
        return step_fail(demo, "LUN 0 has %llu bytes, expected %llu", (unsigned long long)len,
                         (unsigned long long)DEMO_DISK_LEN);
    detail_set(demo, "%s %s, %llu blocks of %u bytes, %s", info.vendor, info.product,
               (unsigned long long)info.block_cnt, info.block_len, session.state);
    return CLI_OK;
}

/* What was asked for is what holds: CHAP both ways, and both digests. */
static int login_step(struct demo *demo)
{
    static const char *const digests[] = {"None", "CRC32C"};
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    char url[300];
    snprintf(url, sizeof(url), "%s&header_digest=crc32c&data_digest=crc32c", demo->lun_url);
    if (iskra_open_sync(demo->cli->ctx, url, &lun, &err))
        return step_fail(demo, "%s", err.text);
    struct iskra_session_info session;
    iskra_session_info(lun, &session);
    (void)iskra_close_sync(lun); /* what is to be seen was seen */
    if (!session.chap_mutual || !session.header_digest || !session.data_digest)
        return step_fail(demo, "%s%s, digests %u and %u were negotiated", session.auth_method,
                         session.chap_mutual ? " mutual" : "", session.header_digest,
                         session.data_digest);
    detail_set(demo, "CHAP mutual (%s), header digest %s, data digest %s", session.chap_algorithm,
               digests[session.header_digest != 0], digests[session.data_digest != 0]);
    return CLI_OK;
}

static int disk_compare(struct demo *demo, struct iskra_lun *lun, uint64_t shift,
                        struct cli_reader *reader)
{
    struct iskra_error err = {0};
    if (cli_reader_init(reader, lun, 0, DEMO_DISK_LEN, &cli_depth_usual))
        return step_fail(demo, "no memory");
    while (!cli_reader_finished(reader)) {
        const unsigned char *data = NULL;
        size_t len = 0;
        int rc = cli_reader_submit(reader, &err);
        if (rc == 0)
            rc = cli_reader_peek(reader, &data, &len, &err);
        if (rc == 0)
            rc = iskra_run_once(demo->cli->ctx, -1);
        if (rc < 0)
            return step_fail(demo, "%s", err.text[0] ? err.text : strerror(-rc));
        if (!data)
            continue;
        uint64_t differs = demo_pattern_differs(data, len, shift + reader->delivered_len);
        if (differs != UINT64_MAX)
            return step_fail(demo, "byte %llu is not what the disk holds",
                             (unsigned long long)(differs - shift));
        cli_reader_release(reader);
    }
    return CLI_OK;
}

static int disk_read(struct demo *demo, const char *digest, bool crc32c, uint64_t shift)
{
    static struct cli_reader reader; /* the slots are large */
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    char url[300], size[CLI_SIZE_TEXT_LEN];
    snprintf(url, sizeof(url), "%s&header_digest=%s&data_digest=%s", demo->lun_url, digest, digest);
    if (iskra_open_sync(demo->cli->ctx, url, &lun, &err))
        return step_fail(demo, "%s", err.text);
    struct iskra_session_info session;
    iskra_session_info(lun, &session);
    if (session.header_digest != crc32c || session.data_digest != crc32c) {
        (void)iskra_close_sync(lun); /* the refusal is what is told */
        return step_fail(demo, "digests %u and %u were negotiated, asked for was %s",
                         session.header_digest, session.data_digest, digest);
    }
    uint64_t start_ns = cli_now_ns();
    int exit_code = disk_compare(demo, lun, shift, &reader);
    if (exit_code)
        cli_initiator_free(demo->cli); /* ends the requests that own the reader's memory */
    else
        (void)iskra_close_sync(lun); /* all was read */
    cli_reader_done(&reader);
    double seconds = (double)(cli_now_ns() - start_ns) / 1e9;
    detail_set(demo, "%s, digests %s, every byte right, %.0f MB/s",
               cli_size_format(DEMO_DISK_LEN, size), digest, (double)DEMO_DISK_LEN / 1e6 / seconds);
    return exit_code;
}

static int read_step(struct demo *demo)
{
    return disk_read(demo, "none", false, 0);
}

static int read_digests_step(struct demo *demo)
{
    return disk_read(demo, "crc32c", true, 0);
}

/* What is written must not be what is there: the same pattern, from beyond the end of the disk. */
#define WRITTEN_SHIFT DEMO_DISK_LEN

static int disk_fill(struct demo *demo, struct cli_writer *writer)
{
    struct iskra_error err = {0};
    int rc = 0;
    while (rc == 0 && !cli_writer_finished(writer)) {
        unsigned char *room;
        size_t len = cli_writer_room(writer, &room);
        if (len > 0) {
            demo_pattern_fill(room, len, WRITTEN_SHIFT + writer->pos);
            rc = cli_writer_take(writer, len, &err);
            continue;
        }
        if (cli_writer_full(writer) && !writer->ended)
            rc = cli_writer_end(writer, &err);
        if (rc == 0)
            rc = cli_writer_step(writer, &err);
        if (rc == 0 && !cli_writer_finished(writer))
            rc = iskra_run_once(demo->cli->ctx, -1);
    }
    return rc ? step_fail(demo, "%s", err.text[0] ? err.text : strerror(-rc)) : CLI_OK;
}

static int write_step(struct demo *demo)
{
    static struct cli_writer writer; /* the slots are large */
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    char url[300], size[CLI_SIZE_TEXT_LEN];
    snprintf(url, sizeof(url), "%s&header_digest=crc32c&data_digest=crc32c", demo->lun_url);
    if (iskra_open_sync(demo->cli->ctx, url, &lun, &err))
        return step_fail(demo, "%s", err.text);
    uint64_t start_ns = cli_now_ns();
    int exit_code = cli_writer_init(&writer, lun, 0, &cli_depth_usual, &err)
                        ? step_fail(demo, "%s", err.text)
                        : disk_fill(demo, &writer);
    if (exit_code)
        cli_initiator_free(demo->cli); /* ends the requests that own the writer's memory */
    else
        (void)iskra_close_sync(lun); /* all is on the medium */
    cli_writer_done(&writer);
    double seconds = (double)(cli_now_ns() - start_ns) / 1e9;
    detail_set(demo, "%s, digests crc32c, flushed, %.0f MB/s", cli_size_format(DEMO_DISK_LEN, size),
               (double)DEMO_DISK_LEN / 1e6 / seconds);
    return exit_code;
}

static int read_back_step(struct demo *demo)
{
    return disk_read(demo, "crc32c", true, WRITTEN_SHIFT);
}

struct step_count {
    unsigned seen[ISKRA_STEP_CNT];
    unsigned step_cnt, pdu_cnt;
};

static void record_count(void *arg, const struct iskra_trace_record *record)
{
    struct step_count *count = arg;
    if (record->kind == ISKRA_TRACE_ENTER && record->what < ISKRA_STEP_CNT) {
        count->seen[record->what]++;
        count->step_cnt++;
    }
    count->pdu_cnt += record->kind == ISKRA_TRACE_PDU_IN || record->kind == ISKRA_TRACE_PDU_OUT;
}

static int trace_step(struct demo *demo)
{
    /* One step of each layer on the way down and up. */
    static const enum iskra_step landmarks[] = {
        ISKRA_STEP_EXECUTE_RQ_NOWAIT, ISKRA_STEP_DISPATCH_CMD, ISKRA_STEP_QUEUECOMMAND,
        ISKRA_STEP_XMITWORKER,        ISKRA_STEP_DATA_READY,   ISKRA_STEP_HDR_DISSECT,
        ISKRA_STEP_COMPLETE_TASK,     ISKRA_STEP_SCSI_DONE,
    };
    static uint64_t block[512];
    struct step_count count = {0};
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    if (iskra_open_sync(demo->cli->ctx, demo->lun_url, &lun, &err))
        return step_fail(demo, "%s", err.text);
    iskra_trace_steps(demo->cli->ctx, record_count, &count);
    int rc = iskra_read_sync(lun, block, sizeof(block), 0, &err);
    iskra_trace_steps(demo->cli->ctx, NULL, NULL);
    (void)iskra_close_sync(lun); /* not what was asked about */
    if (rc)
        return step_fail(demo, "%s", err.text);
    for (size_t i = 0; i < sizeof(landmarks) / sizeof(landmarks[0]); i++)
        if (count.seen[landmarks[i]] == 0)
            return step_fail(demo, "a READ went by without %s", iskra_step_name(landmarks[i]));
    detail_set(demo, "one READ: %u steps, %u PDUs; iskra trace shows them", count.step_cnt,
               count.pdu_cnt);
    return CLI_OK;
}

/* ---- one after the other ---- */

static const struct {
    const char *name;
    int (*run)(struct demo *demo);
} steps[] = {
    {"target", target_step},
    {"discover", discover_step},
    {"ls", ls_step},
    {"info", info_step},
    {"login", login_step},
    {"read", read_step},
    {"read+crc", read_digests_step},
    {"write", write_step},
    {"read back", read_back_step},
    {"trace", trace_step},
};

static void step_print(struct demo *demo, double ms)
{
    if (demo->json) {
        struct json_object *o = cli_json_object();
        cli_json_text(o, "step", demo->step);
        cli_json_real(o, "ms", ms);
        cli_json_text(o, "detail", demo->detail);
        cli_json_append(demo->json, o);
        return;
    }
    cli_print("%-10s %8.1f ms  %s\n", demo->step, ms, demo->detail);
    cli_print_flush();
}

static int demo_run(struct cli *cli)
{
    struct demo demo = {.cli = cli, .json = cli->json ? cli_json_array() : NULL};
    int exit_code = CLI_OK;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !exit_code; i++) {
        uint64_t start_ns = cli_now_ns();
        demo.step = steps[i].name;
        exit_code = steps[i].run(&demo);
        if (!exit_code)
            step_print(&demo, (double)(cli_now_ns() - start_ns) / 1e6);
    }
    cli_initiator_free(cli);
    (void)credentials_set(NULL); /* cannot fail: nothing is set */
    demo_target_stop(&demo.target);
    if (cli->json) {
        struct json_object *root = cli_json_object();
        cli_json_put(root, "steps", demo.json);
        cli_json_bool(root, "ok", exit_code == CLI_OK);
        cli_json_print(root);
    } else if (!exit_code) {
        cli_print("demo: ok\n");
    }
    return exit_code;
}

const struct cli_command cli_cmd_demo = {
    .name = "demo",
    .args = "",
    .summary = "shows everything on the embedded target",
    .details = "Nothing leaves this machine: the target listens on a free port of 127.0.0.1.\n",
    .arg_min = 0,
    .arg_max = 0,
    .run = demo_run,
};
