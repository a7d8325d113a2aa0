/* A histogram of durations as bars: a row for each power of two that holds any, in microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "histogram.h"

#define WIDTH_MIN     40u
#define WIDTH_DEFAULT 80u
#define LABEL_LEN     36u /* what stands beside a bar */
#define BAR_MAX       120u
#define ROW_CNT       64u

/* Columns of the terminal on stdout; COLUMNS goes before it, as in other programs. */
static unsigned width_of_stdout(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    unsigned width = columns ? (unsigned)strtoul(columns, NULL, 10) : 0;
    if (width == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width == 0)
        width = WIDTH_DEFAULT;
    return width < WIDTH_MIN ? WIDTH_MIN : width;
}

/* "12.8", "205", "1.64k": four places. */
static void us_format(uint64_t ns, char *buf, size_t size)
{
    double us = (double)ns / 1e3;
    if (us < 100)
        snprintf(buf, size, "%.3g", us);
    else if (us < 10000)
        snprintf(buf, size, "%.0f", us);
    else
        snprintf(buf, size, "%.4gk", us / 1e3);
}

static void row_print(unsigned row, double share, double largest, unsigned bar_len)
{
    char from[24], to[24], bar[BAR_MAX + 1];
    unsigned len = (unsigned)(share / largest * bar_len + 0.5);
    len = len > BAR_MAX ? BAR_MAX : len;
    memset(bar, '#', len);
    bar[len] = '\0';
    us_format(UINT64_C(1) << row, from, sizeof(from));
    us_format((UINT64_C(1) << row) * 2, to, sizeof(to));
    cli_print("    %8s - %-8s %6.2f%% |%s\n", from, to, 100 * share, bar);
}

/* Rows without any between others are shown, too: a gap is news. */
void cli_histogram_draw(const struct cli_histogram *histogram)
{
    uint64_t rows[ROW_CNT], most = 0;
    unsigned first = ROW_CNT, last = 0;
    cli_histogram_powers(histogram, rows);
    for (unsigned i = 0; i < ROW_CNT; i++) {
        if (rows[i] == 0)
            continue;
        first = i < first ? i : first;
        last = i;
        most = rows[i] > most ? rows[i] : most;
    }
    unsigned width = width_of_stdout();
    unsigned bar_len = width > LABEL_LEN ? width - LABEL_LEN : 1;
    for (unsigned i = first; most > 0 && i <= last; i++)
        row_print(i, (double)rows[i] / (double)histogram->cnt,
                  (double)most / (double)histogram->cnt, bar_len < BAR_MAX ? bar_len : BAR_MAX);
}
