/* Durations, counted; see histogram.h. */
#include "histogram.h"

#define PART_BITS 7

/* Below 256 a bucket holds one value; above, the eight highest bits choose it. */
static unsigned bucket_of(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    unsigned shift = bits > PART_BITS + 1 ? bits - PART_BITS - 1 : 0;
    return shift * CLI_HISTOGRAM_PART_CNT + (unsigned)(value >> shift);
}

/* The middle of what it holds. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < 2 * CLI_HISTOGRAM_PART_CNT)
        return bucket;
    unsigned shift = bucket / CLI_HISTOGRAM_PART_CNT - 1;
    uint64_t part = bucket - shift * CLI_HISTOGRAM_PART_CNT;
    return (part << shift) + ((UINT64_C(1) << shift) >> 1);
}

void cli_histogram_add(struct cli_histogram *histogram, uint64_t value)
{
    if (histogram->cnt == 0 || value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->cnt++;
    histogram->sum += value;
    histogram->buckets[bucket_of(value)]++;
}

void cli_histogram_merge(struct cli_histogram *histogram, const struct cli_histogram *other)
{
    if (other->cnt == 0)
        return;
    if (histogram->cnt == 0 || other->min < histogram->min)
        histogram->min = other->min;
    if (other->max > histogram->max)
        histogram->max = other->max;
    histogram->cnt += other->cnt;
    histogram->sum += other->sum;
    for (unsigned i = 0; i < CLI_HISTOGRAM_BUCKET_CNT; i++)
        histogram->buckets[i] += other->buckets[i];
}

double cli_histogram_mean(const struct cli_histogram *histogram)
{
    return histogram->cnt ? (double)histogram->sum / (double)histogram->cnt : 0;
}

uint64_t cli_histogram_quantile(const struct cli_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->cnt;
    uint64_t below = 0;
    for (unsigned i = 0; i < CLI_HISTOGRAM_BUCKET_CNT; i++) {
        below += histogram->buckets[i];
        if (histogram->buckets[i] == 0 || (double)below < wanted)
            continue;
        uint64_t value = value_of(i);
        value = value < histogram->min ? histogram->min : value;
        return value > histogram->max ? histogram->max : value;
    }
    return histogram->max;
}

void cli_histogram_powers(const struct cli_histogram *histogram, uint64_t rows[64])
{
    for (unsigned i = 0; i < 64; i++)
        rows[i] = 0;
    for (unsigned i = 0; i < CLI_HISTOGRAM_BUCKET_CNT; i++)
        rows[63 - __builtin_clzll(value_of(i) | 1)] += histogram->buckets[i];
}
