/* iskra cp: copies between LUNs, files and streams. Here the ends are opened and judged; copy.h
 * does the work. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "json.h"
#include "lock.h"
#include "pipe.h"

enum {
    OPTION_QD = CLI_OPTION_ID,
    OPTION_BS,
    OPTION_VERIFY,
    OPTION_SPARSE,
    OPTION_RESUME,
    OPTION_NO_PROGRESS,
};

struct cp_args {
    uint64_t qd, bs;
    bool qd_given, verify, sparse, resume, no_progress, force;
};

static int arg_take(const struct cli *cli, const struct cli_given *given, struct cp_args *args)
{
    switch (given->id) {
    case OPTION_QD:
        args->qd_given = true;
        return cli_number_option(cli, "qd", given->value, CLI_DEPTH_QD_MAX, &args->qd);
    case OPTION_BS:
        return cli_size_option(cli, "bs", given->value, &args->bs);
    case OPTION_VERIFY:
        args->verify = true;
        break;
    case OPTION_SPARSE:
        args->sparse = true;
        break;
    case OPTION_RESUME:
        args->resume = true;
        break;
    case OPTION_NO_PROGRESS:
        args->no_progress = true;
        break;
    default:
        args->force = true;
    }
    return CLI_OK;
}

static bool is_url(const char *name)
{
    return strncasecmp(name, "iscsi://", 8) == 0;
}

static bool is_stream(const char *name)
{
    return strcmp(name, "-") == 0;
}

static int args_take(const struct cli *cli, struct cp_args *args)
{
    const char *src = cli->args[0], *dst = cli->args[1];
    *args = (struct cp_args){.qd = cli_depth_usual.qd, .bs = cli_depth_usual.bs};
    for (unsigned i = 0; i < cli->given_cnt; i++) {
        int exit_code = arg_take(cli, &cli->given[i], args);
        if (exit_code)
            return exit_code;
    }
    if (args->qd == 0)
        return cli_usage(cli, "--qd 0: at least one request has to be in flight");
    if (args->bs < 512 || args->bs > CLI_DEPTH_BS_MAX)
        return cli_usage(cli, "--bs %llu: not from 512 to %u", (unsigned long long)args->bs,
                         CLI_DEPTH_BS_MAX);
    if (args->verify && (is_stream(src) || is_stream(dst)))
        return cli_usage(cli, "--verify: a stream cannot be read a second time");
    if ((args->sparse || args->resume) && (is_stream(dst) || is_url(dst)))
        return cli_usage(cli, "--%s: the destination has to be a file",
                         args->sparse ? "sparse" : "resume");
    if (args->resume && is_stream(src))
        return cli_usage(cli, "--resume: a stream cannot begin in its middle");
    if (cli->json && is_stream(dst))
        return cli_usage(cli, "--json: stdout carries the data");
    if (!args->force && is_stream(src) && isatty(STDIN_FILENO) == 1)
        return cli_usage(cli, "stdin is a terminal; -f copies what is typed all the same");
    if (!args->force && is_stream(dst) && isatty(STDOUT_FILENO) == 1)
        return cli_usage(cli, "stdout is a terminal; -f writes binary data to it all the same");
    return CLI_OK;
}

static int lun_open(struct cli *cli, const char *name, const struct cp_args *args,
                    struct cli_copy_end *end)
{
    struct iskra_error err = {0};
    int exit_code = cli->ctx ? CLI_OK : cli_initiator_new(cli, NULL);
    if (exit_code)
        return exit_code;
    char *url = args->qd_given ? cli_depth_url(cli, name, (unsigned)args->qd, cli->verbose) : NULL;
    int rc = iskra_open_sync(cli->ctx, url ? url : name, &end->lun, &err);
    free(url);
    if (rc)
        return cli_fail(cli, rc, &err);
    struct iskra_lun_info info;
    iskra_lun_info(end->lun, &info);
    if (info.block_len == 0) {
        cli_error(cli, "LUN %llu has no blocks to copy", (unsigned long long)info.lun);
        return CLI_OTHER;
    }
    end->sized = true;
    end->size = info.block_cnt * info.block_len;
    return CLI_OK;
}

/* What a descriptor is. A stream is taken from where it stands, even if it is a file. */
static int fd_judge(const struct cli *cli, struct cli_copy_end *end)
{
    struct stat st;
    if (fstat(end->fd, &st)) {
        cli_error(cli, "%s: %s", end->name, strerror(errno));
        return CLI_OTHER;
    }
    end->may_wait = cli_pipe_may_wait(end->fd);
    if (S_ISDIR(st.st_mode))
        return cli_usage(cli, "%s is a directory", end->name);
    if (is_stream(end->name))
        return CLI_OK;
    end->regular = S_ISREG(st.st_mode);
    off_t size = end->regular ? st.st_size : -1;
    if (S_ISBLK(st.st_mode))
        size = lseek(end->fd, 0, SEEK_END);
    end->sized = size >= 0;
    end->size = size >= 0 ? (uint64_t)size : 0;
    return CLI_OK;
}

static int end_open(struct cli *cli, const char *name, int flags, const struct cp_args *args,
                    struct cli_copy_end *end)
{
    *end = (struct cli_copy_end){.name = name, .fd = -1};
    if (is_url(name)) {
        end->name = flags == O_RDONLY ? "the source LUN" : "the destination LUN";
        return lun_open(cli, name, args, end);
    }
    if (is_stream(name))
        end->fd = flags == O_RDONLY ? STDIN_FILENO : STDOUT_FILENO;
    else
        end->fd = open(name, flags | O_CLOEXEC, 0666);
    if (end->fd < 0) {
        cli_error(cli, "%s: %s", name, strerror(errno));
        return CLI_OTHER;
    }
    return fd_judge(cli, end);
}

static bool same_file(const struct cli_copy *copy)
{
    struct stat a, b;
    return copy->src.regular && copy->dst.regular && fstat(copy->src.fd, &a) == 0 &&
           fstat(copy->dst.fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* What can be judged before anything is written; then a file is emptied, or taken as it is. */
static int ends_judge(struct cli_copy *copy, const struct cp_args *args)
{
    const struct cli_copy_end *src = &copy->src, *dst = &copy->dst;
    if (same_file(copy))
        return cli_usage(copy->cli, "%s and %s are the same file", src->name, dst->name);
    if ((args->sparse || args->resume) && !dst->regular)
        return cli_usage(copy->cli, "--%s: %s is no file", args->sparse ? "sparse" : "resume",
                         dst->name);
    if ((args->resume && !src->sized) || (args->verify && !(src->sized && dst->sized)))
        return cli_usage(copy->cli, "--%s: %s and %s have to be LUNs or files",
                         args->resume ? "resume" : "verify", src->name, dst->name);
    if (!dst->regular && dst->sized && src->sized && src->size > dst->size)
        return cli_usage(copy->cli, "%s has %llu bytes, %s has room for %llu", src->name,
                         (unsigned long long)src->size, dst->name, (unsigned long long)dst->size);
    if (args->resume && dst->size > src->size)
        return cli_usage(copy->cli, "--resume: %s has %llu bytes already, %s only %llu", dst->name,
                         (unsigned long long)dst->size, src->name, (unsigned long long)src->size);
    if (args->resume)
        copy->start = dst->size;
    else if (dst->regular && ftruncate(dst->fd, 0)) {
        cli_error(copy->cli, "%s: %s", dst->name, strerror(errno));
        return CLI_OTHER;
    }
    return CLI_OK;
}

static void done_tell(const struct cli_copy *copy, bool verified)
{
    const struct cli *cli = copy->cli;
    if (cli->json) {
        struct json_object *root = cli_progress_json(&copy->progress, copy->done_len);
        cli_json_number(root, "resumed_at", copy->start);
        cli_json_bool(root, "verified", verified);
        cli_json_print(root);
    }
    cli_progress_rate(&copy->progress, cli, copy->done_len);
}

static int ends_copy(struct cli_copy *copy, const struct cp_args *args)
{
    struct cli *cli = copy->cli;
    uint64_t len = copy->src.sized ? copy->src.size - copy->start : 0;
    copy->interrupt_fd = cli_interrupt_open();
    cli_progress_init(&copy->progress, cli, len);
    copy->progress.wanted = copy->progress.wanted && !args->no_progress;
    int exit_code = cli_copy_run(copy);
    if (!exit_code && !copy->signo && args->verify)
        exit_code = cli_copy_compare(copy, copy->start + copy->done_len);
    if (exit_code || copy->signo || copy->pipe_closed)
        return exit_code;
    /* Everything is safe, a failed logout changes nothing. */
    if (copy->src.lun)
        (void)iskra_close_sync(copy->src.lun);
    if (copy->dst.lun)
        (void)iskra_close_sync(copy->dst.lun);
    done_tell(copy, args->verify);
    return CLI_OK;
}

static void end_close(const struct cli_copy_end *end)
{
    if (end->fd > STDERR_FILENO)
        close(end->fd);
}

/* The initiator is freed before the buffers: after a failure it still owns requests. */
static int cp_run(struct cli *cli)
{
    struct cp_args args;
    int exit_code = args_take(cli, &args);
    if (exit_code)
        return exit_code;
    struct cli_copy copy = {
        .cli = cli,
        .depth = {.qd = (unsigned)args.qd, .bs = args.bs},
        .sparse = args.sparse,
        .interrupt_fd = -1,
        .dst.fd = -1,
    };
    exit_code = end_open(cli, cli->args[0], O_RDONLY, &args, &copy.src);
    if (!exit_code)
        exit_code = end_open(cli, cli->args[1], O_CREAT | (args.verify ? O_RDWR : O_WRONLY), &args,
                             &copy.dst);
    if (!exit_code)
        exit_code = ends_judge(&copy, &args);
    if (!exit_code && copy.dst.lun)
        exit_code = cli_lock_take(cli, copy.dst.lun, args.force);
    if (!exit_code)
        exit_code = ends_copy(&copy, &args);
    cli_initiator_free(cli);
    cli_copy_done(&copy);
    end_close(&copy.src);
    end_close(&copy.dst);
    cli_interrupt_end(copy.interrupt_fd, copy.signo);
    return exit_code;
}

static const struct cli_option options[] = {
    {"qd", "N", OPTION_QD, "requests in flight [16]"},
    {"bs", "SIZE", OPTION_BS, "bytes per request at most [1M]"},
    {"verify", NULL, OPTION_VERIFY, "read both again afterwards and compare"},
    {"sparse", NULL, OPTION_SPARSE, "leave holes in a file where zeros are"},
    {"resume", NULL, OPTION_RESUME, "go on where the destination file ends"},
    {"no-progress", NULL, OPTION_NO_PROGRESS, "no progress bar"},
    {"force", NULL, 'f', "although another process writes too; from and to a terminal too"},
    {0},
};

const struct cli_command cli_cmd_cp = {
    .name = "cp",
    .args = "SOURCE DESTINATION",
    .summary = "copies between LUNs, files and streams",
    .details = "Both are a URL, a file or - (standard input or output). What was copied is on the\n"
               "medium when the program ends with 0.\n",
    .arg_min = 2,
    .arg_max = 2,
    .options = options,
    .run = cp_run,
};
