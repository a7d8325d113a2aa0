/* The progress bar. */
#include "cli.h"

#include <stdio.h>
#include <unistd.h>

#include "json.h"

#define SECOND_NS 1000000000ull
#define BAR_WIDTH 40

static struct cli_progress *on_screen; /* NULL: no bar stands there; a terminal has room for one */

uint64_t cli_now_ns(void)
{
    const struct iskra_platform *platform = iskra_platform_posix();
    return platform->now_ns(platform->arg);
}

void cli_progress_init(struct cli_progress *progress, const struct cli *cli, uint64_t total)
{
    uint64_t now_ns = cli_now_ns();
    *progress = (struct cli_progress){
        .wanted = !cli->quiet && isatty(STDERR_FILENO) == 1,
        .total = total,
        .start_ns = now_ns,
        .last_ns = now_ns + SECOND_NS * 4 / 5, /* nothing in the first second */
    };
}

void cli_progress_update(struct cli_progress *progress, uint64_t done)
{
    if (!progress->wanted)
        return;
    uint64_t now_ns = cli_now_ns();
    if (now_ns < progress->last_ns + SECOND_NS / 5)
        return;
    progress->last_ns = now_ns;
    on_screen = progress;

    char bar[BAR_WIDTH + 1], done_text[CLI_SIZE_TEXT_LEN], rate_text[CLI_SIZE_TEXT_LEN];
    double seconds = (double)(now_ns - progress->start_ns) / 1e9;
    cli_size_format(done, done_text);
    cli_size_format((uint64_t)((double)done / seconds), rate_text);
    if (progress->total == 0) { /* a pipe: nobody knows how much will come */
        fprintf(stderr, "\r%s  %s/s\033[K", done_text, rate_text);
        fflush(stderr);
        return;
    }
    double part = (double)done / (double)progress->total;
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < (int)(part * BAR_WIDTH) ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3.0f%%  %s  %s/s  %.0f s left\033[K", bar, part * 100, done_text,
            rate_text, done ? seconds / part - seconds : 0);
    fflush(stderr);
}

void cli_progress_say(struct cli_progress *progress, const char *line)
{
    if (!progress->wanted)
        return;
    on_screen = progress;
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

static double seconds_since(const struct cli_progress *progress)
{
    return (double)(cli_now_ns() - progress->start_ns) / 1e9;
}

void cli_progress_rate(const struct cli_progress *progress, const struct cli *cli, uint64_t len)
{
    char size[CLI_SIZE_TEXT_LEN], rate[CLI_SIZE_TEXT_LEN];
    double seconds = seconds_since(progress);
    if (!cli->verbose)
        return;
    cli_error(cli, "%s in %.3f s, %s/s", cli_size_format(len, size), seconds,
              cli_size_format((uint64_t)((double)len / (seconds > 0 ? seconds : 1)), rate));
}

struct json_object *cli_progress_json(const struct cli_progress *progress, uint64_t len)
{
    struct json_object *root = cli_json_object();
    cli_json_number(root, "bytes", len);
    cli_json_real(root, "seconds", seconds_since(progress));
    return root;
}

void cli_progress_clear(const struct cli_progress *progress)
{
    if (on_screen == progress)
        cli_progress_hide();
}

void cli_progress_hide(void)
{
    if (on_screen)
        fprintf(stderr, "\r\033[K");
    on_screen = NULL;
}
