/* iskra reset: resets a LUN or a whole target. */
#include "cli.h"

#include <iskra/scsi.h>
#include <iskra/session.h>

#include "json.h"

enum {
    OPTION_LUN = CLI_OPTION_ID,
    OPTION_TARGET,
    OPTION_COLD,
};

struct args {
    bool lun, target, cold;
};

static int args_take(const struct cli *cli, struct args *args)
{
    for (unsigned i = 0; i < cli->given_cnt; i++) {
        int id = cli->given[i].id;
        args->lun = args->lun || id == OPTION_LUN;
        args->target = args->target || id == OPTION_TARGET;
        args->cold = args->cold || id == OPTION_COLD;
    }
    if (args->lun == args->target)
        return cli_usage(cli, "what shall be reset: --lun, or --target?");
    if (args->cold && args->lun)
        return cli_usage(cli, "--cold goes with --target");
    return CLI_OK;
}

static void success_tell(const struct cli *cli, const struct iskra_lun *lun,
                         const struct args *args, uint64_t took_ns)
{
    struct iskra_session_info session;
    struct iskra_lun_info info;
    iskra_session_info(lun, &session);
    iskra_lun_info(lun, &info);
    double seconds = (double)took_ns / 1e9;
    if (cli->json) {
        struct json_object *root = cli_json_object();
        cli_json_text(root, "reset", args->lun ? "lun" : args->cold ? "target-cold" : "target");
        cli_json_text(root, "target", session.target_name);
        cli_json_text(root, "portal", session.portal_address);
        if (args->lun)
            cli_json_number(root, "lun", info.lun);
        cli_json_real(root, "seconds", seconds);
        cli_json_print(root);
    } else if (!cli->quiet) {
        if (args->lun)
            cli_print("LUN %llu of ", (unsigned long long)info.lun);
        cli_print("%s at %s: reset in %.3f s\n", session.target_name, session.portal_address,
                  seconds);
    }
}

/* The LUN is asked nothing: one that needs a reset may not answer. */
static int reset_run(struct cli *cli)
{
    struct args args = {0};
    struct iskra_lun *lun;
    struct iskra_error err = {0};
    int exit_code = args_take(cli, &args);
    if (exit_code || (exit_code = cli_initiator_new(cli, NULL)))
        return exit_code;
    int rc = iskra_open_raw_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    uint64_t start_ns = cli_now_ns();
    enum iskra_reset_kind kind = args.lun    ? ISKRA_RESET_LUN
                                 : args.cold ? ISKRA_RESET_TARGET_COLD
                                             : ISKRA_RESET_TARGET;
    rc = iskra_reset_sync(lun, kind, &err);
    if (rc)
        exit_code = cli_fail(cli, rc, &err);
    else
        success_tell(cli, lun, &args, cli_now_ns() - start_ns);
    (void)iskra_close_sync(lun); /* what was asked for is done, or told */
    return exit_code;
}

static const struct cli_option options[] = {
    {"lun", NULL, OPTION_LUN, "the LUN of the URL"},
    {"target", NULL, OPTION_TARGET, "the target with all its LUNs"},
    {"cold", NULL, OPTION_COLD, "with --target: as if switched on; it ends all its sessions"},
    {0},
};

const struct cli_command cli_cmd_reset = {
    .name = "reset",
    .args = "URL",
    .summary = "resets a LUN or a target",
    .details = "It ends the commands of all initiators there, and is waited for as long as\n"
               "lu_reset_timeout or tgt_reset_timeout of the URL says.\n",
    .arg_min = 1,
    .arg_max = 1,
    .options = options,
    .run = reset_run,
};
