/* How often how long: a log-linear histogram of durations, as HdrHistogram made them popular.
 *
 * Each power of two is cut into 128 equal parts, so that a quantile is off by less than 1 %, from
 * nanoseconds to centuries, in memory of fixed size. Nothing is allocated. */
#ifndef ISKRA_CLI_HISTOGRAM_H
#define ISKRA_CLI_HISTOGRAM_H

#include <stdint.h>

#define CLI_HISTOGRAM_PART_CNT   128u
#define CLI_HISTOGRAM_BUCKET_CNT ((64 - 7 + 1) * CLI_HISTOGRAM_PART_CNT)

/* All zeros: empty. */
struct cli_histogram {
    uint64_t cnt, sum, min, max;
    uint64_t buckets[CLI_HISTOGRAM_BUCKET_CNT];
};

void cli_histogram_add(struct cli_histogram *histogram, uint64_t value);
void cli_histogram_merge(struct cli_histogram *histogram, const struct cli_histogram *other);

/* 0 if it is empty. */
double cli_histogram_mean(const struct cli_histogram *histogram);
/* A value that `share` (0 to 1) of all are not above. 0 if it is empty. */
uint64_t cli_histogram_quantile(const struct cli_histogram *histogram, double share);

/* How many values lie in each power of two: rows[i] counts those from 2^i to 2^(i+1) - 1; 0 is with
 * 1. A bucket never lies in two. */
void cli_histogram_powers(const struct cli_histogram *histogram, uint64_t rows[64]);

/* As bars on stdout, as wide as the terminal; values are ns and shown in us (histogram_draw.c). */
void cli_histogram_draw(const struct cli_histogram *histogram);

#endif
