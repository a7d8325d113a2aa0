/* stdout, stderr and exit codes. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int output_errno; /* of the first output that failed */

void cli_output_init(void)
{
    /* Opened the wrong way round, so that using a closed stdin or stdout stays an error. */
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
            _exit(CLI_OTHER);
    signal(SIGPIPE, SIG_IGN);
}

void cli_print(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (vprintf(fmt, ap) < 0 && output_errno == 0)
        output_errno = errno ? errno : EIO;
    va_end(ap);
}

void cli_print_flush(void)
{
    if (fflush(stdout) != 0 && output_errno == 0)
        output_errno = errno;
}

int cli_output_error(void)
{
    return output_errno;
}

int cli_output_finish(const struct cli *cli, int exit_code)
{
    cli_print_flush();
    /* Some file systems tell of a full disk only here. */
    if (close(STDOUT_FILENO) != 0 && output_errno == 0)
        output_errno = errno;
    if (output_errno == 0 || output_errno == EPIPE)
        return exit_code;
    cli_error(cli, "standard output: %s", strerror(output_errno));
    return exit_code ? exit_code : CLI_OTHER;
}

__attribute__((format(printf, 2, 0))) static void error_line(const struct cli *cli, const char *fmt,
                                                             va_list ap)
{
    char line[1024];
    int head_len = snprintf(line, sizeof(line), "iskra: %s%s",
                            cli->command ? cli->command->name : "", cli->command ? ": " : "");
    vsnprintf(line + head_len, sizeof(line) - (size_t)head_len, fmt, ap);
    cli_text_make_safe(line);
    cli_print_flush(); /* what was found before the error stands before it */
    cli_progress_hide();
    fprintf(stderr, "%s\n", line);
}

void cli_error(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_line(cli, fmt, ap);
    va_end(ap);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_line(cli, fmt, ap);
    va_end(ap);
    return CLI_USAGE;
}

int cli_fail(const struct cli *cli, int rc, const struct iskra_error *err)
{
    if (err->code == ISKRA_OK) {
        cli_error(cli, "%s", strerror(abs(rc)));
        return CLI_OTHER;
    }
    cli_error(cli, "%s", err->text[0] ? err->text : iskra_code_name(err->code));
    return cli_exit_code(err);
}
