/* iskra trace: one command's way through the layers, as a call tree.
 *
 * The records are kept in memory while the command runs and printed afterwards. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/scsi.h>
#include <iskra/session.h>
#include <iskra/trace.h>

#include "trace_print.h"
#include "trace_race.h"

enum {
    OPTION_OFFSET = CLI_OPTION_ID,
    OPTION_LENGTH,
    OPTION_NOTES,
    OPTION_NO_TIMES,
    OPTION_RACE,
};

struct trace_args {
    uint64_t offset, len; /* len 0: one block */
    struct cli_trace_style style;
    bool race;
};

/* What is being traced, and the race that it takes part in, if any. */
struct tracer {
    struct cli_trace trace;
    struct cli_race *race;
};

static int args_take(const struct cli *cli, struct trace_args *ret)
{
    struct trace_args args = {0};
    int exit_code = CLI_OK;
    for (unsigned i = 0; i < cli->given_cnt && !exit_code; i++) {
        const struct cli_given *given = &cli->given[i];
        switch (given->id) {
        case OPTION_OFFSET:
            exit_code = cli_size_option(cli, "offset", given->value, &args.offset);
            break;
        case OPTION_LENGTH:
            exit_code = cli_size_option(cli, "length", given->value, &args.len);
            if (!exit_code && args.len == 0)
                exit_code = cli_usage(cli, "--length 0: there is nothing to trace");
            break;
        case OPTION_NOTES:
            args.style.notes = true;
            break;
        case OPTION_NO_TIMES:
            args.style.no_times = true;
            break;
        case OPTION_RACE:
            args.race = true;
            break;
        default:
            break;
        }
    }
    *ret = args;
    return exit_code;
}

static void record_keep(void *arg, const struct iskra_trace_record *record)
{
    struct tracer *tracer = arg;
    struct cli_trace *trace = &tracer->trace;
    if (tracer->race)
        cli_race_watch(tracer->race, record);
    if (trace->cnt == trace->room) {
        unsigned room = trace->room ? 2 * trace->room : 1024;
        struct iskra_trace_record *list = realloc(trace->list, room * sizeof(*list));
        if (!list) {
            trace->lost_cnt++;
            return;
        }
        trace->list = list;
        trace->room = room;
    }
    trace->list[trace->cnt++] = *record;
}

static int login_trace(struct cli *cli, struct tracer *tracer)
{
    struct iskra_error err = {0};
    iskra_trace_steps(cli->ctx, record_keep, tracer);
    int rc = iskra_login_sync(cli->ctx, cli->args[0], &err);
    iskra_trace_steps(cli->ctx, NULL, NULL);
    return rc ? cli_fail(cli, rc, &err) : CLI_OK;
}

static void io_done(struct iskra_io *io)
{
    *(bool *)io->user = true;
}

/* As a _sync call does it, but that one has no time limit of its own. */
static int io_trace(struct cli *cli, struct iskra_lun *lun, struct iskra_io *io,
                    struct tracer *tracer)
{
    bool finished = false;
    io->done = io_done;
    io->user = &finished;
    io->timeout_ns = tracer->race ? CLI_RACE_TIMEOUT_NS : 0;
    iskra_trace_steps(cli->ctx, record_keep, tracer);
    int rc = iskra_submit(lun, io);
    while (rc == 0 && !finished)
        (void)iskra_run_once(cli->ctx, -1); /* the request has a time limit, which ends this */
    iskra_trace_steps(cli->ctx, NULL, NULL);
    rc = rc ? rc : io->status;
    return rc ? cli_fail(cli, rc, &io->error) : CLI_OK;
}

/* SPC-4 6.4: 36 bytes are what every device has. */
static int inquiry_trace(struct cli *cli, struct iskra_lun *lun, struct tracer *tracer)
{
    static const uint8_t cdb[6] = {0x12, 0, 0, 0, 36, 0};
    uint8_t answer[36];
    struct iovec iov = {answer, sizeof(answer)};
    struct iskra_io io = {.op = ISKRA_RAW,
                          .cdb = cdb,
                          .cdb_len = sizeof(cdb),
                          .iov = &iov,
                          .iov_cnt = 1,
                          .len = sizeof(answer)};
    return io_trace(cli, lun, &io, tracer);
}

/* A READ, or a WRITE of what is there already: it is read before, and after it the LUN holds what
 * it held. */
static int transfer_trace(struct cli *cli, struct iskra_lun *lun, bool write,
                          const struct trace_args *args, struct tracer *tracer)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    if (info.block_len == 0) {
        cli_error(cli, "LUN %llu has no blocks to %s", (unsigned long long)info.lun,
                  write ? "write" : "read");
        return CLI_OTHER;
    }
    uint64_t len = args->len ? args->len : info.block_len;
    uint64_t size = info.block_cnt * info.block_len;
    if (args->offset > size || len > size - args->offset)
        return cli_usage(cli, "%llu bytes at %llu reach beyond the end of LUN %llu at %llu",
                         (unsigned long long)len, (unsigned long long)args->offset,
                         (unsigned long long)info.lun, (unsigned long long)size);
    struct iovec iov = {malloc(len), len};
    if (!iov.iov_base) {
        cli_error(cli, "no memory for %llu bytes", (unsigned long long)len);
        return CLI_OTHER;
    }
    struct iskra_error err = {0};
    struct iskra_io io = {.op = write ? ISKRA_WRITE : ISKRA_READ,
                          .offset = args->offset,
                          .iov = &iov,
                          .iov_cnt = 1,
                          .len = len};
    int rc = write ? iskra_read_sync(lun, iov.iov_base, len, args->offset, &err) : 0;
    int exit_code = rc ? cli_fail(cli, rc, &err) : io_trace(cli, lun, &io, tracer);
    free(iov.iov_base);
    return exit_code;
}

static int lun_trace(struct cli *cli, const char *what, const struct trace_args *args,
                     struct tracer *tracer)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    bool write = strcmp(what, "write") == 0;
    int exit_code = strcmp(what, "inquiry") == 0 ? inquiry_trace(cli, lun, tracer)
                                                 : transfer_trace(cli, lun, write, args, tracer);
    (void)iskra_close_sync(lun); /* not what was asked about */
    if (exit_code == CLI_OK && tracer->race && tracer->race->state != CLI_RACE_OVER) {
        cli_error(cli, "no race: the answer was there before its time could be up");
        exit_code = CLI_OTHER;
    }
    return exit_code;
}

/* What failed is printed too: that is when one wants to see it. */
static int trace_run(struct cli *cli)
{
    static struct cli_race race; /* the initiator's platform until the program ends */
    struct trace_args args;
    struct tracer tracer = {0};
    int exit_code = args_take(cli, &args);
    if (exit_code)
        return exit_code;
    const char *what = cli->args[1];
    bool login = strcmp(what, "login") == 0;
    if (!login && strcmp(what, "read") != 0 && strcmp(what, "write") != 0 &&
        strcmp(what, "inquiry") != 0)
        return cli_usage(cli, "'%s' is none of read, write, inquiry, login", what);
    if (args.race && login)
        return cli_usage(cli, "--race is for commands, and login is none");
    if (args.race) {
        cli_race_init(&race);
        tracer.race = &race;
        cli->platform = &race.platform;
    }
    if ((exit_code = cli_initiator_new(cli, NULL)))
        return exit_code;
    exit_code = login ? login_trace(cli, &tracer) : lun_trace(cli, what, &args, &tracer);
    if (tracer.trace.lost_cnt)
        cli_error(cli, "no memory for the last %u records", tracer.trace.lost_cnt);
    if (cli->json)
        cli_trace_print_json(&tracer.trace, &args.style);
    else
        cli_trace_print(&tracer.trace, &args.style);
    free(tracer.trace.list);
    return exit_code;
}

static const struct cli_option options[] = {
    {"offset", "SIZE", OPTION_OFFSET, "read, write: where, in bytes [0]"},
    {"length", "SIZE", OPTION_LENGTH, "read, write: how many bytes [one block]"},
    {"notes", NULL, OPTION_NOTES, "the fragments of the notes beside each step"},
    {"no-times", NULL, OPTION_NO_TIMES, "without the columns that differ from run to run"},
    {"race", NULL, OPTION_RACE, "the answer comes just after the command's time was up"},
    {0},
};

const struct cli_command cli_cmd_trace = {
    .name = "trace",
    .args = "URL read|write|inquiry|login",
    .summary = "shows the path of one command through the layers",
    .details = "A call tree: start and duration in microseconds, layer, step. PDUs and changes of\n"
               "state stand where they happened. write writes what is there already.\n",
    .arg_min = 2,
    .arg_max = 2,
    .options = options,
    .run = trace_run,
};
