/* iskra read: bytes of a LUN to stdout.
 *
 * One loop waits for the initiator, for room in stdout and for Ctrl-C, so that a slow reader of a
 * pipe does not keep the initiator from answering the target's pings. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipe.h"
#include "reader.h"

enum {
    OPTION_OFFSET = CLI_OPTION_ID,
    OPTION_LENGTH,
};

struct read_args {
    uint64_t offset, len;
    bool len_given, force;
};

static int args_take(const struct cli *cli, struct read_args *ret)
{
    struct read_args args = {0};
    int exit_code = CLI_OK;
    for (unsigned i = 0; i < cli->given_cnt && !exit_code; i++) {
        const struct cli_given *given = &cli->given[i];
        switch (given->id) {
        case OPTION_OFFSET:
            exit_code = cli_size_option(cli, "offset", given->value, &args.offset);
            break;
        case OPTION_LENGTH:
            exit_code = cli_size_option(cli, "length", given->value, &args.len);
            args.len_given = true;
            break;
        default:
            args.force = true;
        }
    }
    if (!exit_code && cli->json)
        exit_code = cli_usage(cli, "--json: stdout carries the data");
    if (!exit_code && !args.force && isatty(STDOUT_FILENO) == 1)
        exit_code =
            cli_usage(cli, "stdout is a terminal; -f writes binary data to it all the same");
    *ret = args;
    return exit_code;
}

/* Settles the length and judges the range against the disk. */
static int range_check(const struct cli *cli, const struct iskra_lun *lun, struct read_args *args)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    if (info.block_len == 0) {
        cli_error(cli, "LUN %llu has no blocks to read", (unsigned long long)info.lun);
        return CLI_OTHER;
    }
    uint64_t size = info.block_cnt * info.block_len;
    if (args->offset > size)
        return cli_usage(cli, "--offset %llu is beyond the end of LUN %llu at %llu",
                         (unsigned long long)args->offset, (unsigned long long)info.lun,
                         (unsigned long long)size);
    if (!args->len_given)
        args->len = size - args->offset;
    if (args->len > size - args->offset)
        return cli_usage(cli, "%llu bytes at %llu reach beyond the end of LUN %llu at %llu",
                         (unsigned long long)args->len, (unsigned long long)args->offset,
                         (unsigned long long)info.lun, (unsigned long long)size);
    return CLI_OK;
}

struct pump {
    const struct cli *cli;
    struct cli_reader reader;
    size_t written_len;   /* of the chunk at the head */
    bool stdout_may_wait; /* a pipe, a socket, a terminal */
    int interrupt_fd;
    int signo;
    struct cli_progress progress;
};

/* Writes what is here and fits. 1: something was written, 0: nothing could be, -1: stdout failed,
 * with errno. */
static int chunk_write(struct pump *pump, const unsigned char *data, size_t len)
{
    size_t left = len - pump->written_len;
    ssize_t n = write(STDOUT_FILENO, data + pump->written_len,
                      cli_pipe_room(STDOUT_FILENO, pump->stdout_may_wait, left));
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    pump->written_len += (size_t)n;
    if (pump->written_len == len) {
        pump->written_len = 0;
        cli_reader_release(&pump->reader);
    }
    cli_progress_update(&pump->progress, pump->reader.delivered_len);
    return 1;
}

static int output_fail(const struct pump *pump)
{
    if (errno == EPIPE)
        return CLI_OK; /* whoever read has enough */
    cli_error(pump->cli, "standard output: %s, after %llu bytes", strerror(errno),
              (unsigned long long)(pump->reader.delivered_len + pump->written_len));
    return CLI_OTHER;
}

/* Waits until the initiator, Ctrl-C or, if there is something to write, stdout wants us. */
static bool stdout_ready_wait(struct pump *pump, bool want_write)
{
    struct pollfd fds[] = {
        {.fd = iskra_fd(pump->cli->ctx), .events = POLLIN},
        {.fd = pump->interrupt_fd, .events = POLLIN},
        {.fd = want_write ? STDOUT_FILENO : -1, .events = POLLOUT},
    };
    if (poll(fds, 3, -1) < 0)
        return false;
    if (fds[1].revents)
        pump->signo = cli_interrupt_taken(pump->interrupt_fd);
    return fds[2].revents != 0;
}

/* Runs until everything is written: an exit code. `*ret_whole` tells whether it is. */
static int pump_run(struct pump *pump, bool *ret_whole)
{
    struct iskra_error err = {0};
    while (!cli_reader_finished(&pump->reader) && !pump->signo) {
        const unsigned char *data = NULL;
        size_t len = 0;
        int rc = cli_reader_submit(&pump->reader, &err);
        if (rc == 0)
            rc = cli_reader_peek(&pump->reader, &data, &len, &err);
        if (rc < 0) {
            cli_progress_clear(&pump->progress);
            return cli_fail(pump->cli, rc, &err);
        }
        if (stdout_ready_wait(pump, rc == 1) && chunk_write(pump, data, len) < 0) {
            cli_progress_clear(&pump->progress);
            return output_fail(pump);
        }
        rc = iskra_dispatch(pump->cli->ctx);
        if (rc < 0) {
            cli_progress_clear(&pump->progress);
            return cli_fail(pump->cli, rc, &err);
        }
    }
    cli_progress_clear(&pump->progress);
    *ret_whole = pump->signo == 0;
    return CLI_OK;
}

/* The initiator is freed before the reader: after a failure it still owns requests, and freeing it
 * ends them. */
static int lun_copy(struct cli *cli, struct iskra_lun *lun, const struct read_args *args)
{
    static struct pump pump; /* the slots are large */
    pump = (struct pump){
        .cli = cli,
        .stdout_may_wait = cli_pipe_may_wait(STDOUT_FILENO),
        .interrupt_fd = cli_interrupt_open(),
    };
    if (cli_reader_init(&pump.reader, lun, args->offset, args->len, &cli_depth_usual)) {
        cli_error(cli, "no memory for %u buffers of %llu bytes", pump.reader.depth,
                  (unsigned long long)pump.reader.chunk_len);
        return CLI_OTHER;
    }
    cli_progress_init(&pump.progress, cli, args->len);
    bool whole = false;
    int exit_code = pump_run(&pump, &whole);
    if (whole)
        (void)iskra_close_sync(lun); /* the data is out, a failed logout changes nothing */
    if (whole)
        cli_progress_rate(&pump.progress, cli, pump.reader.delivered_len);
    cli_initiator_free(cli);
    cli_reader_done(&pump.reader);
    cli_interrupt_end(pump.interrupt_fd, pump.signo);
    return exit_code;
}

static int read_run(struct cli *cli)
{
    struct read_args args;
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    int exit_code = args_take(cli, &args);
    if (exit_code || (exit_code = cli_initiator_new(cli, NULL)))
        return exit_code;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    exit_code = range_check(cli, lun, &args);
    if (exit_code) {
        (void)iskra_close_sync(lun); /* the error is told already */
        return exit_code;
    }
    return lun_copy(cli, lun, &args);
}

static const struct cli_option options[] = {
    {"offset", "SIZE", OPTION_OFFSET, "where to begin, in bytes [0]"},
    {"length", "SIZE", OPTION_LENGTH, "how many bytes [to the end]"},
    {"force", NULL, 'f', "write to a terminal too"},
    {0},
};

const struct cli_command cli_cmd_read = {
    .name = "read",
    .args = "URL",
    .summary = "writes bytes of a LUN to standard output",
    .details = "SIZE is a number of bytes, with K, M, G or T in units of 1024.\n",
    .arg_min = 1,
    .arg_max = 1,
    .options = options,
    .run = read_run,
};
