/* iskra write: bytes of stdin onto a LUN.
 *
 * One loop waits for the initiator, for input and for Ctrl-C, so that a slow writer of a pipe does
 * not keep the initiator from answering the target's pings. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "lock.h"
#include "writer.h"

enum {
    OPTION_OFFSET = CLI_OPTION_ID,
};

struct write_args {
    uint64_t offset;
    bool force;
};

static int args_take(const struct cli *cli, struct write_args *ret)
{
    struct write_args args = {0};
    int exit_code = CLI_OK;
    for (unsigned i = 0; i < cli->given_cnt && !exit_code; i++) {
        const struct cli_given *given = &cli->given[i];
        if (given->id == OPTION_OFFSET)
            exit_code = cli_size_option(cli, "offset", given->value, &args.offset);
        else
            args.force = true;
    }
    if (!exit_code && !args.force && isatty(STDIN_FILENO) == 1)
        exit_code = cli_usage(cli, "stdin is a terminal; -f writes what is typed all the same");
    *ret = args;
    return exit_code;
}

/* Bytes that stdin will give, if it is a file; else 0, and it shows when it ends. */
static uint64_t input_len(void)
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    return at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}

/* What can be judged before anything is written. */
static int range_check(const struct cli *cli, const struct iskra_lun *lun,
                       const struct write_args *args, uint64_t len)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    if (info.block_len == 0) {
        cli_error(cli, "LUN %llu has no blocks to write", (unsigned long long)info.lun);
        return CLI_OTHER;
    }
    uint64_t size = info.block_cnt * info.block_len;
    if (args->offset > size)
        return cli_usage(cli, "--offset %llu is beyond the end of LUN %llu at %llu",
                         (unsigned long long)args->offset, (unsigned long long)info.lun,
                         (unsigned long long)size);
    if (len > size - args->offset)
        return cli_usage(cli, "%llu bytes at %llu reach beyond the end of LUN %llu at %llu",
                         (unsigned long long)len, (unsigned long long)args->offset,
                         (unsigned long long)info.lun, (unsigned long long)size);
    return CLI_OK;
}

struct pump {
    const struct cli *cli;
    struct cli_writer writer;
    bool beyond; /* the input goes on where the LUN has ended */
    int interrupt_fd;
    int signo;
    struct cli_progress progress;
};

/* Waits until the initiator, Ctrl-C or, if there is room for it, input wants us. */
static bool input_ready_wait(struct pump *pump, bool want_input)
{
    struct pollfd fds[] = {
        {.fd = iskra_fd(pump->cli->ctx), .events = POLLIN},
        {.fd = pump->interrupt_fd, .events = POLLIN},
        {.fd = want_input ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (poll(fds, 3, -1) < 0)
        return false;
    if (fds[1].revents)
        pump->signo = cli_interrupt_taken(pump->interrupt_fd);
    return fds[2].revents != 0;
}

/* Takes what input there is. A byte more than the LUN has room for shows that it is too much.
 * CLI_OK or an exit code, with the error told. */
static int input_take(struct pump *pump, unsigned char *room, size_t room_len)
{
    struct iskra_error err = {0};
    unsigned char one_more;
    bool full = cli_writer_full(&pump->writer);
    ssize_t n = read(STDIN_FILENO, full ? &one_more : room, full ? 1 : room_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return CLI_OK;
    if (n < 0) {
        cli_progress_clear(&pump->progress);
        cli_error(pump->cli, "standard input: %s, after %llu bytes", strerror(errno),
                  (unsigned long long)(pump->writer.pos - pump->writer.start));
        return CLI_OTHER;
    }
    pump->beyond = full && n > 0;
    int rc = n == 0 || full ? cli_writer_end(&pump->writer, &err)
                            : cli_writer_take(&pump->writer, (size_t)n, &err);
    if (rc == 0)
        return CLI_OK;
    cli_progress_clear(&pump->progress);
    return cli_fail(pump->cli, rc, &err);
}

/* Runs until everything is written and flushed: an exit code. `*ret_whole` tells whether it is. */
static int pump_run(struct pump *pump, bool *ret_whole)
{
    struct cli_writer *writer = &pump->writer;
    struct iskra_error err = {0};
    while (!cli_writer_finished(writer) && !pump->signo) {
        unsigned char *room = NULL;
        size_t room_len = cli_writer_room(writer, &room);
        bool want_input = room_len > 0 || (cli_writer_full(writer) && !writer->ended);
        if (input_ready_wait(pump, want_input)) {
            int exit_code = input_take(pump, room, room_len);
            if (exit_code)
                return exit_code;
        }
        int rc = iskra_dispatch(pump->cli->ctx);
        if (rc == 0)
            rc = cli_writer_step(writer, &err);
        if (rc < 0) {
            cli_progress_clear(&pump->progress);
            return cli_fail(pump->cli, rc, &err);
        }
        cli_progress_update(&pump->progress, writer->confirmed_len);
    }
    cli_progress_clear(&pump->progress);
    *ret_whole = pump->signo == 0;
    return CLI_OK;
}

/* Everything that fits is on the medium. */
static int whole_tell(const struct pump *pump)
{
    const struct cli_writer *writer = &pump->writer;
    if (pump->beyond)
        return cli_writer_beyond(pump->cli, writer);
    if (pump->cli->json)
        cli_json_print(cli_progress_json(&pump->progress, writer->confirmed_len));
    cli_progress_rate(&pump->progress, pump->cli, writer->confirmed_len);
    return CLI_OK;
}

/* The initiator is freed before the writer: after a failure it still owns requests, and freeing it
 * ends them. */
static int lun_fill(struct cli *cli, struct iskra_lun *lun, uint64_t offset, uint64_t len)
{
    static struct pump pump; /* the slots are large */
    struct iskra_error err = {0};
    pump = (struct pump){.cli = cli, .interrupt_fd = cli_interrupt_open()};
    bool whole = false;
    cli_progress_init(&pump.progress, cli, len);
    int rc = cli_writer_init(&pump.writer, lun, offset, &cli_depth_usual, &err);
    int exit_code = rc ? cli_fail(cli, rc, &err) : pump_run(&pump, &whole);
    if (whole) {
        (void)iskra_close_sync(lun); /* the data is safe, a failed logout changes nothing */
        exit_code = whole_tell(&pump);
    }
    cli_initiator_free(cli);
    cli_writer_done(&pump.writer);
    cli_interrupt_end(pump.interrupt_fd, pump.signo);
    return exit_code;
}

static int write_run(struct cli *cli)
{
    struct write_args args;
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    int exit_code = args_take(cli, &args);
    if (exit_code || (exit_code = cli_initiator_new(cli, NULL)))
        return exit_code;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    uint64_t len = input_len();
    exit_code = range_check(cli, lun, &args, len);
    if (!exit_code)
        exit_code = cli_lock_take(cli, lun, args.force);
    if (exit_code) {
        (void)iskra_close_sync(lun); /* the error is told already */
        return exit_code;
    }
    return lun_fill(cli, lun, args.offset, len);
}

static const struct cli_option options[] = {
    {"offset", "SIZE", OPTION_OFFSET, "where to begin, in bytes [0]"},
    {"force", NULL, 'f', "although another process writes too; from a terminal too"},
    {0},
};

const struct cli_command cli_cmd_write = {
    .name = "write",
    .args = "URL",
    .summary = "writes standard input onto a LUN",
    .details = "SIZE is a number of bytes, with K, M, G or T in units of 1024. What is written is\n"
               "on the medium when the program ends with 0.\n",
    .arg_min = 1,
    .arg_max = 1,
    .options = options,
    .run = write_run,
};
