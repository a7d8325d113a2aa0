/* iskra raw: one CDB, sent as it is, and what comes back. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <iskra/scsi.h>

#include "json.h"

#define CDB_LEN_MAX  260
#define DATA_LEN_MAX (64u << 20)

enum {
    OPTION_IN = CLI_OPTION_ID,
    OPTION_OUT,
};

struct raw {
    unsigned char cdb[CDB_LEN_MAX];
    unsigned cdb_len;
    uint64_t in_len;
    const char *out_path; /* NULL: no data out */
    unsigned char *data;
    uint64_t data_len;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* SPC: the top three bits of the opcode tell the length. Vendor's and reserved ones may have any;
 * 7Fh tells in its eighth byte how many follow. */
static unsigned cdb_len_min(const unsigned char *cdb, unsigned len)
{
    static const unsigned char of_group[8] = {6, 10, 10, 1, 16, 12, 1, 1};
    if (cdb[0] == 0x7f)
        return len < 8 ? 8 : 8u + cdb[7];
    return of_group[cdb[0] >> 5];
}

static int cdb_take(const struct cli *cli, const char *text, struct raw *raw)
{
    unsigned digit_cnt = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ' ' || *c == ':')
            continue;
        int digit = hex_digit(*c);
        if (digit < 0)
            return cli_usage(cli, "CDB '%.100s': '%c' is not a hexadecimal digit", text, *c);
        if (digit_cnt == 2 * CDB_LEN_MAX)
            return cli_usage(cli, "CDB '%.20s...' is longer than %d bytes", text, CDB_LEN_MAX);
        raw->cdb[digit_cnt / 2] = (unsigned char)(raw->cdb[digit_cnt / 2] << 4 | digit);
        digit_cnt++;
    }
    if (digit_cnt % 2 != 0)
        return cli_usage(cli, "CDB '%.100s' has %u hexadecimal digits, which makes no bytes", text,
                         digit_cnt);
    if (digit_cnt == 0)
        return cli_usage(cli, "CDB '%.100s' is empty", text);
    raw->cdb_len = digit_cnt / 2;
    unsigned min = cdb_len_min(raw->cdb, raw->cdb_len);
    if (raw->cdb_len < min)
        return cli_usage(cli, "CDB '%.100s' has %u bytes; with opcode %02Xh it needs %u", text,
                         raw->cdb_len, raw->cdb[0], min);
    return CLI_OK;
}

static int args_take(const struct cli *cli, struct raw *raw)
{
    int exit_code = cdb_take(cli, cli->args[1], raw);
    for (unsigned i = 0; i < cli->given_cnt && !exit_code; i++) {
        const struct cli_given *given = &cli->given[i];
        if (given->id == OPTION_OUT)
            raw->out_path = given->value;
        else
            exit_code = cli_size_option(cli, "in", given->value, &raw->in_len);
    }
    if (!exit_code && raw->in_len > DATA_LEN_MAX)
        return cli_usage(cli, "--in %llu is more than %u bytes", (unsigned long long)raw->in_len,
                         DATA_LEN_MAX);
    if (!exit_code && raw->in_len > 0 && raw->out_path != NULL)
        return cli_usage(cli, "--in %llu and --out %s: data goes one way only",
                         (unsigned long long)raw->in_len, raw->out_path);
    return exit_code;
}

/* Everything that the file has, which must be less than the room. 0 or an exit code. */
static int out_read(const struct cli *cli, struct raw *raw)
{
    bool is_stdin = strcmp(raw->out_path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(raw->out_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && raw->data_len <= DATA_LEN_MAX) {
        n = read(fd, raw->data + raw->data_len, DATA_LEN_MAX + 1 - raw->data_len);
        if (n > 0)
            raw->data_len += (uint64_t)n;
    }
    int error = errno;
    if (!is_stdin && fd >= 0)
        close(fd);
    if (n < 0) {
        cli_error(cli, "%s: %s", raw->out_path, strerror(error));
        return CLI_OTHER;
    }
    if (raw->data_len > DATA_LEN_MAX)
        return cli_usage(cli, "--out %s: more than %u bytes", raw->out_path, DATA_LEN_MAX);
    return CLI_OK;
}

static int data_make(const struct cli *cli, struct raw *raw)
{
    raw->data = malloc(raw->out_path != NULL ? DATA_LEN_MAX + 1 : raw->in_len + 1);
    if (raw->data == NULL) {
        cli_error(cli, "no memory for %u bytes of data", DATA_LEN_MAX);
        return CLI_OTHER;
    }
    if (raw->out_path != NULL)
        return out_read(cli, raw);
    raw->data_len = raw->in_len;
    return CLI_OK;
}

static void dump_print(const unsigned char *data, uint64_t len)
{
    for (uint64_t at = 0; at < len; at += 16) {
        uint64_t cnt = len - at < 16 ? len - at : 16;
        cli_print("%08llx ", (unsigned long long)at);
        for (uint64_t i = 0; i < 16; i++)
            if (i < cnt)
                cli_print(" %02x", data[at + i]);
            else
                cli_print("   ");
        cli_print("  ");
        for (uint64_t i = 0; i < cnt; i++)
            cli_print("%c", data[at + i] >= ' ' && data[at + i] < 0x7f ? data[at + i] : '.');
        cli_print("\n");
    }
}

static void hex_put(struct json_object *root, const char *key, const unsigned char *data,
                    uint64_t len)
{
    char *text = malloc(2 * len + 1);
    for (uint64_t i = 0; text != NULL && i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    if (text != NULL && len > 0)
        cli_json_text(root, key, text);
    free(text);
}

/* Fixed (70h, 71h) and descriptor format (72h, 73h) keep these three in different places. */
static void sense_put(struct json_object *root, const struct iskra_error *err)
{
    bool descriptor = (err->sense[0] & 0x7e) == 0x72;
    unsigned needed = descriptor ? 4 : 14;
    hex_put(root, "sense", err->sense, err->sense_len);
    if (err->sense_len < needed)
        return;
    cli_json_number(root, "sense_key", err->sense[descriptor ? 1 : 2] & 0xf);
    cli_json_number(root, "asc", err->sense[descriptor ? 2 : 12]);
    cli_json_number(root, "ascq", err->sense[descriptor ? 3 : 13]);
}

static void json_print(const struct raw *raw, int rc, const struct iskra_io *io)
{
    const struct iskra_error *err = &io->error;
    uint64_t moved_len = io->len - io->residual;
    struct json_object *root = cli_json_object();
    cli_json_bool(root, "ok", rc == 0);
    cli_json_number(root, "status", err->scsi_status);
    if (rc == 0)
        cli_json_number(root, "bytes", moved_len);
    if (rc == 0 && io->overflow != 0)
        cli_json_number(root, "overflow", io->overflow);
    if (rc == 0 && raw->out_path == NULL)
        hex_put(root, "data", raw->data, moved_len);
    if (rc != 0)
        cli_json_text(root, "error", err->text);
    if (err->sense_len > 0)
        sense_put(root, err);
    cli_json_print(root);
}

/* A LUN that wanted more than it was given has not done what the CDB says. */
static int data_tell(const struct cli *cli, const struct raw *raw, const struct iskra_io *io)
{
    uint64_t moved_len = io->len - io->residual;
    if (cli->verbose && io->residual != 0)
        cli_error(cli, "underflow: %llu of %llu bytes were moved", (unsigned long long)moved_len,
                  (unsigned long long)io->len);
    bool some_came = raw->out_path == NULL && io->len > 0;
    if (io->overflow != 0 && (some_came ? cli->verbose : !cli->quiet))
        cli_error(cli, "overflow: the LUN had %llu bytes more to move than the %llu given",
                  (unsigned long long)io->overflow, (unsigned long long)io->len);
    if (cli->json || raw->out_path != NULL || moved_len == 0)
        return CLI_OK;
    if (isatty(STDOUT_FILENO) == 1)
        dump_print(raw->data, moved_len);
    else if (fwrite(raw->data, 1, moved_len, stdout) != moved_len)
        return CLI_OTHER; /* a reader that went away, or what closing stdout will tell */
    return CLI_OK;
}

static void ended(struct iskra_io *io)
{
    *(bool *)io->user = true;
}

static int io_run(struct cli *cli, struct iskra_lun *lun, struct iskra_io *io)
{
    bool over = false;
    io->done = ended;
    io->user = &over;
    int rc = iskra_submit(lun, io);
    while (rc == 0 && !over)
        rc = iskra_run_once(cli->ctx, -1);
    return rc ? rc : io->status;
}

static int cdb_send(struct cli *cli, struct raw *raw)
{
    static struct iskra_io io; /* if the loop fails it is still the library's */
    struct iovec iov = {raw->data, raw->data_len};
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    int exit_code = cli_initiator_new(cli, NULL);
    if (exit_code)
        return exit_code;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    io = (struct iskra_io){.op = ISKRA_RAW,
                           .flags = raw->out_path != NULL ? ISKRA_IO_DATA_OUT : 0,
                           .cdb = raw->cdb,
                           .cdb_len = raw->cdb_len,
                           .iov = &iov,
                           .iov_cnt = raw->data_len > 0 ? 1 : 0,
                           .len = raw->data_len};
    rc = io_run(cli, lun, &io);
    if (cli->json)
        json_print(raw, rc, &io);
    exit_code = rc ? cli_fail(cli, rc, &io.error) : data_tell(cli, raw, &io);
    (void)iskra_close_sync(lun); /* everything was said already */
    return exit_code;
}

static int raw_run(struct cli *cli)
{
    struct raw raw = {0};
    int exit_code = args_take(cli, &raw);
    if (!exit_code)
        exit_code = data_make(cli, &raw);
    if (!exit_code)
        exit_code = cdb_send(cli, &raw);
    cli_initiator_free(cli); /* before the data: a request that is still out may use it */
    free(raw.data);
    return exit_code;
}

static const struct cli_option options[] = {
    {"in", "SIZE", OPTION_IN, "bytes to expect, at most"},
    {"out", "FILE", OPTION_OUT, "data to send; - is standard input"},
    {0},
};

const struct cli_command cli_cmd_raw = {
    .name = "raw",
    .args = "URL CDB",
    .summary = "sends any SCSI command",
    .details =
        "CDB is hexadecimal; spaces and colons between the bytes do no harm. It is executed\n"
        "at most once. What comes in goes to standard output, as a dump if that is a terminal.\n",
    .arg_min = 2,
    .arg_max = 2,
    .options = options,
    .run = raw_run,
};
