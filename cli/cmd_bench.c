/* iskra bench: how fast a LUN is, and with --verify whether it keeps what it is given. Here the
 * options are judged; bench.h is the load. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "depth.h"
#include "lock.h"

enum {
    OPTION_RW = CLI_OPTION_ID,
    OPTION_BS,
    OPTION_QD,
    OPTION_TIME,
    OPTION_SIZE,
    OPTION_SEED,
    OPTION_VERIFY,
    OPTION_PROGRESS,
};

#define TIME_MAX_S  (365u * 86400u)
#define VERIFY_SIZE ((uint64_t)1 << 30) /* as --verify writes all of it first */
#define SECTOR_LEN  512u

struct bench_args {
    struct cli_bench_plan plan;
    bool force;
};

static int rw_take(const struct cli *cli, const char *value, enum cli_bench_rw *ret)
{
    const char *name;
    for (unsigned rw = 0; (name = cli_bench_rw_name(rw)) != NULL; rw++) {
        if (strcmp(name, value) != 0)
            continue;
        *ret = (enum cli_bench_rw)rw;
        return CLI_OK;
    }
    return cli_usage(cli, "--rw %s: not randread, randwrite, read, write or mix", value);
}

static int arg_take(const struct cli *cli, const struct cli_given *given, struct bench_args *args)
{
    uint64_t qd = args->plan.qd;
    int exit_code = CLI_OK;
    switch (given->id) {
    case OPTION_RW:
        return rw_take(cli, given->value, &args->plan.rw);
    case OPTION_BS:
        return cli_size_option(cli, "bs", given->value, &args->plan.bs);
    case OPTION_QD:
        exit_code = cli_number_option(cli, "qd", given->value, CLI_DEPTH_QD_MAX, &qd);
        args->plan.qd = (unsigned)qd;
        return exit_code;
    case OPTION_TIME:
        return cli_seconds_option(cli, "time", given->value, TIME_MAX_S, &args->plan.time_ns);
    case OPTION_SIZE:
        exit_code = cli_size_option(cli, "size", given->value, &args->plan.size);
        if (!exit_code && args->plan.size == 0)
            exit_code = cli_usage(cli, "--size 0: at least one block");
        return exit_code;
    case OPTION_SEED:
        return cli_number_option(cli, "seed", given->value, UINT64_MAX, &args->plan.seed);
    case OPTION_VERIFY:
        args->plan.verify = true;
        break;
    case OPTION_PROGRESS:
        args->plan.lines = true;
        break;
    default:
        args->force = true;
    }
    return CLI_OK;
}

static int args_take(const struct cli *cli, struct bench_args *args)
{
    *args = (struct bench_args){
        .plan = {.rw = CLI_BENCH_RANDREAD, .bs = 4096, .qd = 32, .seed = 1, .time_ns = 5000000000}};
    for (unsigned i = 0; i < cli->given_cnt; i++) {
        int exit_code = arg_take(cli, &cli->given[i], args);
        if (exit_code)
            return exit_code;
    }
    const struct cli_bench_plan *plan = &args->plan;
    if (plan->qd == 0)
        return cli_usage(cli, "--qd 0: at least one request has to be in flight");
    if (plan->bs < SECTOR_LEN || plan->bs > CLI_DEPTH_BS_MAX || plan->bs % SECTOR_LEN != 0)
        return cli_usage(cli, "--bs %llu: not a multiple of 512 from 512 to %u",
                         (unsigned long long)plan->bs, CLI_DEPTH_BS_MAX);
    if (plan->time_ns == 0)
        return cli_usage(cli, "--time 0: something has to be measured");
    return CLI_OK;
}

/* The region, now that the LUN is known. */
static int region_judge(const struct cli *cli, const struct iskra_lun *lun,
                        struct cli_bench_plan *plan)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    if (info.block_len == 0) {
        cli_error(cli, "LUN %llu has no blocks to read or write", (unsigned long long)info.lun);
        return CLI_OTHER;
    }
    uint64_t size = info.block_cnt * info.block_len;
    if (plan->bs % info.block_len != 0)
        return cli_usage(cli, "--bs %llu: not a multiple of the %u bytes of a block of LUN %llu",
                         (unsigned long long)plan->bs, info.block_len,
                         (unsigned long long)info.lun);
    if (plan->size > size)
        return cli_usage(cli, "--size %llu: LUN %llu has %llu bytes",
                         (unsigned long long)plan->size, (unsigned long long)info.lun,
                         (unsigned long long)size);
    if (plan->size == 0)
        plan->size = plan->verify && size > VERIFY_SIZE ? VERIFY_SIZE : size;
    plan->size -= plan->size % plan->bs;
    if (plan->size == 0)
        return cli_usage(cli, "--bs %llu: more than there is to read or write",
                         (unsigned long long)plan->bs);
    return CLI_OK;
}

static int lun_open(struct cli *cli, struct bench_args *args, struct iskra_lun **ret_lun)
{
    struct iskra_error err = {0};
    int exit_code = cli_initiator_new(cli, NULL);
    if (exit_code)
        return exit_code;
    char *url = cli_depth_url(cli, cli->args[0], args->plan.qd, !cli->quiet);
    int rc = iskra_open_sync(cli->ctx, url ? url : cli->args[0], ret_lun, &err);
    free(url);
    if (rc)
        return cli_fail(cli, rc, &err);
    exit_code = region_judge(cli, *ret_lun, &args->plan);
    if (!exit_code && cli_bench_writes(&args->plan))
        exit_code = cli_lock_take(cli, *ret_lun, args->force);
    return exit_code;
}

/* A number that no other run has: with the same one, an old stamp would look like a new one. */
static uint64_t run_number(void)
{
    const struct iskra_platform *platform = iskra_platform_posix();
    uint64_t number;
    if (platform->random(platform->arg, &number, sizeof(number)) != 0)
        number = cli_now_ns();
    return number;
}

/* A difference weighs more than whatever else went wrong. */
static int outcome_tell(const struct cli_bench *bench)
{
    int exit_code =
        bench->failed_rc ? cli_fail(bench->cli, bench->failed_rc, &bench->failure) : CLI_OK;
    cli_bench_report(bench);
    return bench->tally[CLI_BENCH_READS].mismatch_cnt > 0 ? CLI_VERIFY : exit_code;
}

/* The initiator is freed before the buffers: after a failure it still owns requests. */
static int bench_run(struct cli *cli)
{
    static struct cli_bench bench; /* histograms are large */
    struct bench_args args;
    struct iskra_lun *lun = NULL;
    int exit_code = args_take(cli, &args);
    if (!exit_code)
        exit_code = lun_open(cli, &args, &lun);
    if (exit_code) {
        (void)iskra_close_sync(lun); /* the error is told already */
        return exit_code;
    }
    if (cli_bench_init(&bench, cli, lun, &args.plan, run_number()) == 0) {
        bench.interrupt_fd = cli_interrupt_open();
        cli_bench_run(&bench);
        exit_code = outcome_tell(&bench);
    } else {
        cli_error(cli, "no memory for %u requests of %llu bytes%s", args.plan.qd,
                  (unsigned long long)args.plan.bs, args.plan.verify ? " and their stamps" : "");
        exit_code = CLI_OTHER;
    }
    if (!bench.failed_rc && !bench.signo)
        (void)iskra_close_sync(lun); /* all was answered, a failed logout changes nothing */
    cli_initiator_free(cli);
    cli_bench_done(&bench);
    cli_interrupt_end(bench.interrupt_fd, bench.signo);
    return exit_code;
}

static const struct cli_option options[] = {
    {"rw", "PATTERN", OPTION_RW, "randread, randwrite, read, write, mix [randread]"},
    {"bs", "SIZE", OPTION_BS, "bytes per request [4K]"},
    {"qd", "N", OPTION_QD, "requests in flight [32]"},
    {"time", "SECONDS", OPTION_TIME, "how long [5]"},
    {"size", "SIZE", OPTION_SIZE, "only so much of the LUN [all; with --verify at most 1G]"},
    {"seed", "N", OPTION_SEED, "of the random offsets [1]"},
    {"verify", NULL, OPTION_VERIFY, "write all of it first, check all that is read"},
    {"progress", NULL, OPTION_PROGRESS, "a line per second on stderr; with --json an object"},
    {"force", NULL, 'f', "although another process writes too"},
    {0},
};

const struct cli_command cli_cmd_bench = {
    .name = "bench",
    .args = "URL",
    .summary = "measures IOPS, bandwidth and latency; may destroy what is on the LUN",
    .details =
        "randwrite, write, mix (70 % reads, random) and every pattern with --verify overwrite the\n"
        "LUN without asking. With --verify every block is stamped with its place and the number "
        "of\n"
        "its content, each read is checked, and everything is read back at the end.\n",
    .arg_min = 1,
    .arg_max = 1,
    .options = options,
    .run = bench_run,
};
