/* Sizes and numbers as people write them. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool digits_parse(const char **text, uint64_t *ret)
{
    const char *p = *text;
    uint64_t v = 0;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return false;
    *text = p;
    *ret = v;
    return true;
}

bool cli_size_parse(const char *text, uint64_t *ret_size)
{
    static const char units[] = "KMGT";
    uint64_t v;
    if (!digits_parse(&text, &v))
        return false;
    if (*text != '\0') {
        char c = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
        const char *unit = strchr(units, c);
        if (!unit || (text[1] != '\0' && strcmp(text + 1, "iB") != 0))
            return false;
        if (__builtin_mul_overflow(v, (uint64_t)1 << 10 * (unit - units + 1), &v))
            return false;
    }
    *ret_size = v;
    return true;
}

int cli_size_option(const struct cli *cli, const char *name, const char *value, uint64_t *ret_size)
{
    if (cli_size_parse(value, ret_size))
        return CLI_OK;
    return cli_usage(cli, "--%s %s: not a size of at most 64 bits such as 4096, 64K, 1M, 2G or 1T",
                     name, value);
}

int cli_number_option(const struct cli *cli, const char *name, const char *value, uint64_t max,
                      uint64_t *ret_number)
{
    uint64_t v;
    const char *p = value;
    if (!digits_parse(&p, &v) || *p != '\0' || v > max)
        return cli_usage(cli, "--%s %s: not a number from 0 to %llu", name, value,
                         (unsigned long long)max);
    *ret_number = v;
    return CLI_OK;
}

int cli_seconds_option(const struct cli *cli, const char *name, const char *value, unsigned max,
                       uint64_t *ret_ns)
{
    char *end;
    double seconds = strtod(value, &end);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || !(seconds <= max))
        return cli_usage(cli, "--%s '%s' is not a number of seconds from 0 to %u", name, value,
                         max);
    *ret_ns = (uint64_t)(seconds * 1e9);
    return CLI_OK;
}

char *cli_size_format(uint64_t size, char *buf)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double v = (double)size;
    while (v >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1024;
        unit++;
    }
    snprintf(buf, CLI_SIZE_TEXT_LEN, unit ? "%.1f %s" : "%.0f %s", v, units[unit]);
    return buf;
}
