/* iskra target: the embedded target on its own, until SIGTERM or Ctrl-C. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/portal.h"
#include "target/target.h"

#include "json.h"
#include "secret.h"

enum {
    OPTION_LISTEN = CLI_OPTION_ID,
    OPTION_NAME,
    OPTION_RAM,
    OPTION_FILE,
    OPTION_NULL,
    OPTION_READ_ONLY,
    OPTION_SEPARATE_STATUS,
    OPTION_NO_DIGESTS,
    OPTION_PORTAL,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_MUTUAL_USER,
    OPTION_MUTUAL_PASSWORD_FILE,
    OPTION_CHAP,
    OPTION_CHAP_SINGLE,
    OPTION_CHAP_BASE64,
    OPTION_OPEN_DISCOVERY,
    OPTION_FAULT,
    OPTION_BUSY_POLL,
    OPTION_NUMBERS, /* and on: the table below */
};

#define LUNS_OFFSET offsetof(struct iskra_target_options, lun_cnt)

/* Options that are one number of struct iskra_target_options each; the target judges the range. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"luns", LUNS_OFFSET},
    {"block-size", offsetof(struct iskra_target_options, block_len)},
    {"max-recv", offsetof(struct iskra_target_options, max_recv)},
    {"first-burst", offsetof(struct iskra_target_options, first_burst)},
    {"max-burst", offsetof(struct iskra_target_options, max_burst)},
    {"max-data-in", offsetof(struct iskra_target_options, max_data_in)},
    {"window", offsetof(struct iskra_target_options, cmd_window)},
    {"max-transfer-blocks", offsetof(struct iskra_target_options, max_transfer_blocks)},
    {"max-sessions", offsetof(struct iskra_target_options, max_sessions)},
    {"first-lun", offsetof(struct iskra_target_options, first_lun)},
};
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "lun_cnt is set as the others are");

#define LISTEN_MAX       8
#define BUSY_POLL_US_MAX 1000000u /* as the key busy_poll_us of a URL */

struct target_args {
    struct iskra_target_options options;
    struct iskra_target_backend *backends;
    const char **portals, **faults;
    const char *listen[LISTEN_MAX];
    unsigned listen_cnt;
    uint64_t busy_poll_us;
    struct cli_secret password, mutual_password;
};

static int number_take(const struct cli *cli, const struct cli_given *given,
                       struct iskra_target_options *options)
{
    unsigned i = (unsigned)(given->id - OPTION_NUMBERS);
    uint64_t value = 0;
    int exit_code = cli_size_option(cli, numbers[i].name, given->value, &value);
    if (!exit_code && value > UINT32_MAX)
        exit_code =
            cli_usage(cli, "--%s %s: more than %u", numbers[i].name, given->value, UINT32_MAX);
    if (!exit_code && value == 0 && numbers[i].offset == LUNS_OFFSET) /* to the target: not given */
        exit_code = cli_usage(cli, "--luns 0: at least one LUN");
    if (!exit_code)
        *(uint32_t *)((char *)options + numbers[i].offset) = (uint32_t)value;
    return exit_code;
}

static int backend_take(const struct cli *cli, const struct cli_given *given,
                        struct target_args *args)
{
    struct iskra_target_backend *backend = &args->backends[args->options.backend_cnt++];
    switch (given->id) {
    case OPTION_RAM:
        backend->kind = ISKRA_TARGET_RAM;
        return cli_size_option(cli, "ram", given->value, &backend->size);
    case OPTION_NULL:
        backend->kind = ISKRA_TARGET_NULL;
        return cli_size_option(cli, "null", given->value, &backend->size);
    default:
        backend->kind = ISKRA_TARGET_FILE;
        backend->path = given->value;
        return CLI_OK;
    }
}

static int busy_poll_take(const struct cli *cli, const char *value, struct target_args *args)
{
    int exit_code = cli_size_option(cli, "busy-poll", value, &args->busy_poll_us);
    if (!exit_code && args->busy_poll_us > BUSY_POLL_US_MAX)
        exit_code =
            cli_usage(cli, "--busy-poll %s: more than %u microseconds", value, BUSY_POLL_US_MAX);
    return exit_code;
}

/* As the key `auth` of a URL writes them. */
static int algorithms_take(const struct cli *cli, const char *list,
                           struct iskra_target_options *options)
{
    static const char *const names[] = {"md5", "sha1", "sha-256", "sha3-256"};
    options->chap_algorithms = 0;
    for (const char *p = list;; p++) {
        size_t len = strcspn(p, ",");
        unsigned i = 0;
        while (i < 4 && (strlen(names[i]) != len || strncmp(p, names[i], len) != 0))
            i++;
        if (i == 4)
            return cli_usage(cli, "--chap %s: %.*s is none of md5, sha1, sha-256, sha3-256", list,
                             (int)len, p);
        options->chap_algorithms |= 1u << i; /* the order of enum iskra_target_chap_algorithm */
        p += len;
        if (*p == '\0')
            return CLI_OK;
    }
}

static int chap_take(const struct cli *cli, const struct cli_given *given, struct target_args *args)
{
    switch (given->id) {
    case OPTION_USER:
        args->options.user = given->value;
        return CLI_OK;
    case OPTION_PASSWORD_FILE:
        args->options.password = args->password.text;
        return cli_secret_read(cli, "password-file", given->value, &args->password);
    case OPTION_MUTUAL_USER:
        args->options.mutual_user = given->value;
        return CLI_OK;
    case OPTION_MUTUAL_PASSWORD_FILE:
        args->options.mutual_password = args->mutual_password.text;
        return cli_secret_read(cli, "mutual-password-file", given->value, &args->mutual_password);
    case OPTION_CHAP:
        return algorithms_take(cli, given->value, &args->options);
    case OPTION_CHAP_SINGLE:
        args->options.chap_single = true;
        return CLI_OK;
    case OPTION_CHAP_BASE64:
        args->options.chap_base64 = true;
        return CLI_OK;
    default:
        args->options.chap_discovery = false;
        return CLI_OK;
    }
}

/* What belongs together is there. */
static int chap_judge(const struct cli *cli, const struct iskra_target_options *options)
{
    if (!options->user != !options->password)
        return cli_usage(cli, "--user and --password-file belong together");
    if (!options->mutual_user != !options->mutual_password)
        return cli_usage(cli, "--mutual-user and --mutual-password-file belong together");
    if (options->mutual_user && !options->user)
        return cli_usage(cli, "--mutual-user %s: needs --user, who logs in", options->mutual_user);
    return CLI_OK;
}

static int option_take(const struct cli *cli, const struct cli_given *given,
                       struct target_args *args)
{
    switch (given->id) {
    case OPTION_LISTEN:
        if (args->listen_cnt == LISTEN_MAX)
            return cli_usage(cli, "--listen %s: at most %d addresses", given->value, LISTEN_MAX);
        args->listen[args->listen_cnt++] = given->value;
        return CLI_OK;
    case OPTION_NAME:
        args->options.name = given->value;
        return CLI_OK;
    case OPTION_RAM:
    case OPTION_FILE:
    case OPTION_NULL:
        return backend_take(cli, given, args);
    case OPTION_READ_ONLY:
        if (args->options.backend_cnt == 0)
            return cli_usage(cli, "--read-only: stands behind the LUN it is meant for");
        args->backends[args->options.backend_cnt - 1].read_only = true;
        return CLI_OK;
    case OPTION_SEPARATE_STATUS:
        args->options.separate_status = true;
        return CLI_OK;
    case OPTION_NO_DIGESTS:
        args->options.header_digest = args->options.data_digest = false;
        return CLI_OK;
    case OPTION_FAULT:
        args->faults[args->options.fault_cnt++] = given->value;
        return CLI_OK;
    case OPTION_BUSY_POLL:
        return busy_poll_take(cli, given->value, args);
    case OPTION_PORTAL:
        args->portals[args->options.portal_cnt++] = given->value;
        return CLI_OK;
    default:
        return given->id < OPTION_NUMBERS ? chap_take(cli, given, args)
                                          : number_take(cli, given, &args->options);
    }
}

/* RFC 7143 4.2.7; upper case is what initiators would turn into lower case before they compare. */
static bool name_legal(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:_";
    static const char *const types[] = {"iqn.", "eui.", "naa."};
    bool typed = false;
    for (unsigned i = 0; i < 3; i++)
        typed |= strncmp(name, types[i], 4) == 0 && name[4] != '\0';
    size_t len = strlen(name);
    return typed && len <= ISKRA_TARGET_NAME_MAX && strspn(name, plain) == len;
}

/* Strings stay argv's; the two arrays are freed by the caller, also after a refusal. */
static int args_take(const struct cli *cli, struct target_args *args)
{
    *args = (struct target_args){0};
    iskra_target_options_init(&args->options);
    args->options.name = "iqn.2026-11.io.iskra:target";
    args->backends = calloc(cli->given_cnt + 1, sizeof(*args->backends));
    args->portals = calloc(cli->given_cnt + 1, sizeof(*args->portals));
    args->faults = calloc(cli->given_cnt + 1, sizeof(*args->faults));
    if (!args->backends || !args->portals || !args->faults) {
        cli_error(cli, "no memory for %u options", cli->given_cnt);
        return CLI_OTHER;
    }
    for (unsigned i = 0; i < cli->given_cnt; i++) {
        int exit_code = option_take(cli, &cli->given[i], args);
        if (exit_code)
            return exit_code;
    }
    args->options.backends = args->backends;
    args->options.portals = args->portals;
    args->options.faults = args->faults;
    if (!name_legal(args->options.name))
        return cli_usage(cli, "--name %s: not an iSCSI name such as iqn.2026-11.org.example:disk",
                         args->options.name);
    if (args->listen_cnt == 0)
        return cli_usage(cli, "--listen ADDR:PORT is missing");
    if (args->options.backend_cnt == 0)
        return cli_usage(cli, "no LUN; --ram SIZE, --file PATH or --null SIZE makes one");
    return chap_judge(cli, &args->options);
}

static void listening_print(const struct cli *cli, const struct iskra_target_portal *portal,
                            const char *name)
{
    const char *address;
    for (unsigned i = 0; (address = iskra_target_portal_address(portal, i)); i++) {
        if (!cli->json) {
            cli_print("listening on %s\n", address);
            continue;
        }
        struct json_object *o = cli_json_object();
        cli_json_text(o, "listening", address);
        cli_json_text(o, "target", name);
        cli_json_print(o);
    }
    cli_print_flush();
}

static int portal_serve(const struct cli *cli, const struct target_args *args,
                        struct iskra_target_portal *portal, int stop_fd)
{
    struct iskra_error err = {0};
    for (unsigned i = 0; i < args->listen_cnt; i++) {
        int rc = iskra_target_portal_listen(portal, args->listen[i], &err);
        if (rc)
            return cli_fail(cli, rc, &err);
    }
    listening_print(cli, portal, args->options.name);
    if (cli_output_error() && cli_output_error() != EPIPE)
        return CLI_OTHER; /* told at the end; a target nobody hears of is of no use */
    int rc = iskra_target_portal_run(portal, stop_fd, &err);
    return rc ? cli_fail(cli, rc, &err) : CLI_OK;
}

static void secrets_wipe(struct target_args *args)
{
    cli_secret_wipe(&args->password);
    cli_secret_wipe(&args->mutual_password);
}

static void told(void *arg, const char *text)
{
    cli_error(arg, "%s", text);
}

static int target_serve(const struct cli *cli, struct target_args *args, int stop_fd)
{
    struct iskra_error err = {0};
    struct iskra_target *target;
    struct iskra_target_portal *portal;
    if (cli->verbose) {
        args->options.fault_told = args->options.login_told = told;
        args->options.fault_told_arg = args->options.login_told_arg = (void *)(uintptr_t)cli;
    }
    int rc = iskra_target_new(&args->options, &target, &err);
    secrets_wipe(args); /* the target has its own copies */
    if (rc)
        return cli_fail(cli, rc, &err);
    rc = iskra_target_portal_new(target, &portal, &err);
    if (rc) {
        iskra_target_free(target);
        return cli_fail(cli, rc, &err);
    }
    iskra_target_portal_busy_poll(portal, args->busy_poll_us * 1000);
    int exit_code = portal_serve(cli, args, portal, stop_fd);
    struct iskra_target_stats stats;
    iskra_target_stats(target, &stats);
    if (cli->verbose)
        cli_error(cli, "%llu logins, %llu commands, %llu bytes read",
                  (unsigned long long)stats.login_cnt, (unsigned long long)stats.command_cnt,
                  (unsigned long long)stats.read_bytes);
    iskra_target_portal_free(portal);
    iskra_target_free(target);
    return exit_code;
}

/* Whoever started it waits for the line it prints and ends it with SIGTERM: that is no failure. */
static int target_run(struct cli *cli)
{
    for (unsigned i = 0; i < cli->given_cnt; i++)
        if (cli->given[i].id == OPTION_FAULT && strcmp(cli->given[i].value, "help") == 0) {
            cli_print("%s", iskra_target_fault_help());
            return CLI_OK;
        }
    struct target_args args;
    int exit_code = args_take(cli, &args);
    int stop_fd = -1;
    if (!exit_code && (stop_fd = cli_interrupt_open()) < 0) {
        cli_error(cli, "no descriptor for signals");
        exit_code = CLI_OTHER;
    }
    if (!exit_code)
        exit_code = target_serve(cli, &args, stop_fd);
    if (stop_fd >= 0)
        close(stop_fd);
    secrets_wipe(&args);
    free(args.backends);
    free(args.portals);
    free(args.faults);
    return exit_code;
}

static const struct cli_option options[] = {
    {"listen", "ADDR:PORT", OPTION_LISTEN, "where to listen; port 0 picks one; may be repeated"},
    {"name", "IQN", OPTION_NAME, "[iqn.2026-11.io.iskra:target]"},
    {"ram", "SIZE", OPTION_RAM, "the next LUN: memory, zeros at first"},
    {"file", "PATH", OPTION_FILE, "the next LUN: a file"},
    {"null", "SIZE", OPTION_NULL, "the next LUN: reads zeros"},
    {"read-only", NULL, OPTION_READ_ONLY, "the LUN before it is write-protected"},
    {"luns", "N", OPTION_NUMBERS + 0, "N LUNs in all, the last one repeated"},
    {"block-size", "SIZE", OPTION_NUMBERS + 1, "512 to 64K [512]"},
    {"separate-status", NULL, OPTION_SEPARATE_STATUS, "never GOOD in the last Data-In"},
    {"no-digests", NULL, OPTION_NO_DIGESTS, "HeaderDigest and DataDigest: only None"},
    {"max-recv", "SIZE", OPTION_NUMBERS + 2, "its MaxRecvDataSegmentLength [256K]"},
    {"first-burst", "SIZE", OPTION_NUMBERS + 3, "FirstBurstLength [256K]"},
    {"max-burst", "SIZE", OPTION_NUMBERS + 4, "MaxBurstLength [1M]"},
    {"max-data-in", "SIZE", OPTION_NUMBERS + 5, "largest Data-In payload [256K]"},
    {"window", "N", OPTION_NUMBERS + 6, "commands in flight per session [128]"},
    {"max-transfer-blocks", "N", OPTION_NUMBERS + 7, "blocks per command; 0: no limit [0]"},
    {"max-sessions", "N", OPTION_NUMBERS + 8, "[1024]"},
    {"first-lun", "N", OPTION_NUMBERS + 9, "the number of the first LUN [0]"},
    {"portal", "ADDR:PORT", OPTION_PORTAL, "a further portal that discovery tells"},
    {"user", "NAME", OPTION_USER, "CHAP: only who has this name and the secret may log in"},
    {"password-file", "PATH", OPTION_PASSWORD_FILE, "a file with the user's secret"},
    {"mutual-user", "NAME", OPTION_MUTUAL_USER, "the target's own name, for mutual CHAP"},
    {"mutual-password-file", "PATH", OPTION_MUTUAL_PASSWORD_FILE, "a file with its secret"},
    {"chap", "LIST", OPTION_CHAP, "algorithms allowed [md5,sha1,sha-256,sha3-256]"},
    {"chap-single", NULL, OPTION_CHAP_SINGLE, "refuse an initiator that offers several"},
    {"chap-base64", NULL, OPTION_CHAP_BASE64, "write binary values in base64"},
    {"open-discovery", NULL, OPTION_OPEN_DISCOVERY, "discovery without CHAP"},
    {"busy-poll", "US", OPTION_BUSY_POLL, "look for more for so long before sleeping [0]"},
    {"fault", "SPEC", OPTION_FAULT, "what shall go wrong: iskra-faults(7), --fault help"},
    {0},
};

const struct cli_command cli_cmd_target = {
    .name = "target",
    .args = "--listen ADDR:PORT",
    .summary = "runs the embedded target",
    .details = "LUN numbers follow the order of --ram, --file and --null. Prints \"listening on\n"
               "ADDR:PORT\" when it is ready; SIGTERM or Ctrl-C ends it.\n",
    .arg_min = 0,
    .arg_max = 0,
    .options = options,
    .run = target_run,
};
