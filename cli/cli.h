/* What the subcommands of the program share: the table's row, the options as given, output, errors
 * and exit codes.
 *
 * The program sees the library only through include/iskra/, and the embedded target through
 * target/target.h and target/portal.h. Its own names begin with cli_. */
#ifndef ISKRA_CLI_H
#define ISKRA_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/iskra.h>

/* open-iscsi's numbers where the meaning is the same. */
enum cli_exit {
    CLI_OK = 0,
    CLI_OTHER = 1,
    CLI_USAGE = 2,
    CLI_CONNECT = 4,
    CLI_SCSI = 5,
    CLI_VERIFY = 6,
    CLI_TIMEOUT_LOGIN = 8,
    CLI_LOGIN = 19,
    CLI_NOT_FOUND = 21,
    CLI_AUTH = 24,
    CLI_TIMEOUT_SCSI = 33,
};

/* An option of a subcommand. `id` is unique inside the command and at least CLI_OPTION_ID; an
 * option with a letter has the letter as its id. */
struct cli_option {
    const char *name; /* without dashes; NULL ends the table */
    const char *arg;  /* what its argument is called in the help; NULL: it takes none */
    int id;
    const char *help;
};
#define CLI_OPTION_ID 256

/* The common options, valid for every command and before it. */
enum cli_common_id {
    CLI_OPTION_JSON = 1000,
    CLI_OPTION_DEBUG,
    CLI_OPTION_VERSION,
};

struct cli;
struct cli_status_server;

struct cli_command {
    const char *name, *args, *summary;
    int arg_min, arg_max;
    const struct cli_option *options; /* NULL: none but the common ones */
    const char *details;              /* further lines of its help; NULL: none */
    int (*run)(struct cli *cli);      /* returns an exit code */
};

struct cli_given {
    int id;
    const char *value; /* NULL if the option takes none */
};

/* One call of the program. */
struct cli {
    const struct cli_command *command; /* NULL before it is known */
    bool json, quiet, verbose, debug, help, version;
    struct cli_given *given; /* the command's own options, in the order given */
    unsigned given_cnt;
    char **args; /* what is not an option */
    int arg_cnt;
    const struct iskra_platform *platform; /* of the initiator; NULL: the usual one */
    struct iskra *ctx;                     /* set by cli_initiator_new() */
    struct cli_status_server *status;
};

extern const struct cli_command cli_cmd_discover, cli_cmd_ls, cli_cmd_info, cli_cmd_read,
    cli_cmd_write, cli_cmd_cp, cli_cmd_ping, cli_cmd_raw, cli_cmd_trace, cli_cmd_target,
    cli_cmd_bench, cli_cmd_demo, cli_cmd_status, cli_cmd_reset;

/* ---- options.c ---- */

/* Splits argv into options and arguments; options may stand anywhere. With a command: its options
 * too, and all of argv is taken. Without: stops at the first word that is no option. argv[0] is
 * skipped. Returns how many words were used up, or -1 after one line on stderr. */
int cli_options_parse(struct cli *cli, int argc, char **argv);
void cli_options_print(const struct cli_option *options);
extern const struct cli_option cli_common_options[];

/* ---- output.c ---- */

/* Once, before anything else: a broken pipe is an error code, and descriptors 0 to 2 are taken, so
 * that no socket or file can be mistaken for them. */
void cli_output_init(void);

/* To stdout. Errors are remembered for cli_output_finish(). */
__attribute__((format(printf, 1, 2))) void cli_print(const char *fmt, ...);
void cli_print_flush(void);

/* errno of the first output that failed; 0 if none did. A command that runs on may stop early. */
int cli_output_error(void);

/* Flushes and closes stdout and judges: a reader that went away changes nothing, any other error
 * is told and makes the exit code 1. Returns the exit code to leave with. */
int cli_output_finish(const struct cli *cli, int exit_code);

/* One line on stderr: "iskra: <command>: ...", made safe for a terminal. */
__attribute__((format(printf, 2, 3))) void cli_error(const struct cli *cli, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli *cli, const char *fmt, ...);

/* Tells the error of a library call and returns the exit code for it. rc is what the call
 * returned, used if *err holds no story. */
int cli_fail(const struct cli *cli, int rc, const struct iskra_error *err);

/* ---- safe_text.c ---- */

/* Puts '?' in place of what a terminal would act upon or could not show. */
void cli_text_make_safe(char *text);

/* ---- exit_code.c ---- */

/* Never CLI_OK. */
int cli_exit_code(const struct iskra_error *err);

/* ---- size.c ---- */

/* "512", "64K", "1M", "2G", "1T", in units of 1024; "KiB" etc. too. False, nothing written, if it
 * is not that or 64 bits do not hold it. */
bool cli_size_parse(const char *text, uint64_t *ret_size);

/* The option's value as a size or a number up to max: 0, or CLI_USAGE after a line on stderr. */
int cli_size_option(const struct cli *cli, const char *name, const char *value, uint64_t *ret_size);
int cli_number_option(const struct cli *cli, const char *name, const char *value, uint64_t max,
                      uint64_t *ret_number);
/* "5", "0.2": seconds up to max. */
int cli_seconds_option(const struct cli *cli, const char *name, const char *value, unsigned max,
                       uint64_t *ret_ns);

/* "64.0 MiB". buf holds CLI_SIZE_TEXT_LEN. Returns buf. */
#define CLI_SIZE_TEXT_LEN 16
char *cli_size_format(uint64_t size, char *buf);

/* ---- initiator.c ---- */

/* cli->ctx, with the log on stderr as far as -q and -v want it: 0 or an exit code. name NULL: the
 * initiator's name is found as usual. */
int cli_initiator_new(struct cli *cli, const char *name);
/* Frees it; with --debug the last PDUs and states are printed first. */
void cli_initiator_free(struct cli *cli);

/* ---- interrupt.c ---- */

/* From here on SIGINT and SIGTERM make the returned descriptor readable instead of ending the
 * program. -1: not possible, they end it as ever. */
int cli_interrupt_open(void);
/* The signal that came, or 0. */
int cli_interrupt_taken(int fd);
/* Closes fd (-1: none) and, if a signal came, ends the program by it as if it had never been
 * caught, so that a shell sees it. The last that a command does. */
void cli_interrupt_end(int fd, int signo);

/* ---- progress.c ---- */

struct cli_progress {
    bool wanted;
    uint64_t total, start_ns, last_ns;
};
/* A bar on stderr if that is a terminal, once the work takes over a second. */
void cli_progress_init(struct cli_progress *progress, const struct cli *cli, uint64_t total);
void cli_progress_update(struct cli_progress *progress, uint64_t done);
/* A line of the caller's own words in the place of the bar. */
void cli_progress_say(struct cli_progress *progress, const char *line);
void cli_progress_clear(const struct cli_progress *progress);
void cli_progress_hide(void); /* whose it ever is: a line is about to be printed there */
/* All of it, len bytes, is done: with -v "64.0 MiB in 0.512 s, 125.0 MiB/s" on stderr. */
void cli_progress_rate(const struct cli_progress *progress, const struct cli *cli, uint64_t len);
/* For --json: a new object with bytes and seconds. */
struct json_object;
struct json_object *cli_progress_json(const struct cli_progress *progress, uint64_t len);

uint64_t cli_now_ns(void); /* the platform's clock */

#endif
