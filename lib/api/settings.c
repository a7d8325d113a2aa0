/* Keys of a URL. A key that is not in the table is an error, so that a typing mistake is never
 * silently a default. */
#include "api/settings.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "api/secret.h"
#include "error.h"

enum kind {
    KIND_BOOL,
    KIND_NUMBER,  /* decimal, with a K, M or G suffix for lengths */
    KIND_SECONDS, /* decimals allowed; to nanoseconds */
    KIND_RESET,   /* ignore or error */
    KIND_DIGESTS,
    KIND_NAME,
    KIND_ISID,
    KIND_CREDENTIAL, /* secret.c's business */
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t min,
        max; /* numbers as such; seconds in whole seconds, min -1 = "for ever" is allowed */
};

#define FIELD(f) offsetof(struct iskra_settings, f)
static const struct key keys[] = {
    {"header_digest", KIND_DIGESTS, FIELD(header_digest), 0, 0},
    {"data_digest", KIND_DIGESTS, FIELD(data_digest), 0, 0},
    {"initiator_name", KIND_NAME, FIELD(initiator_name), 0, 0},
    {"user", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"auth", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"target_user", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"target_password", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"password_file", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"password_fd", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"password_env", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"target_password_file", KIND_CREDENTIAL, FIELD(chap), 0, 0},
    {"isid", KIND_ISID, FIELD(isid), 0, 0},
    {"queue_depth", KIND_NUMBER, FIELD(queue_depth), 1, 4096},
    {"cmds_max", KIND_NUMBER, FIELD(cmds_max), 16, 4096},
    {"immediate_data", KIND_BOOL, FIELD(immediate_data), 0, 1},
    {"initial_r2t", KIND_BOOL, FIELD(initial_r2t), 0, 1},
    {"first_burst", KIND_NUMBER, FIELD(first_burst), 512, 16777215},
    {"max_burst", KIND_NUMBER, FIELD(max_burst), 512, 16777215},
    {"max_recv", KIND_NUMBER, FIELD(max_recv), 512, 16777215},
    {"max_outstanding_r2t", KIND_NUMBER, FIELD(max_outstanding_r2t), 1, 64},
    {"replacement_timeout", KIND_SECONDS, FIELD(replacement_timeout_ns), -1, 86400},
    {"login_timeout", KIND_SECONDS, FIELD(login_timeout_ns), 0, 3600},
    {"noop_interval", KIND_SECONDS, FIELD(noop_interval_ns), 0, 3600},
    {"noop_timeout", KIND_SECONDS, FIELD(noop_timeout_ns), 0, 3600},
    {"timeout", KIND_SECONDS, FIELD(command_timeout_ns), 0, 86400},
    {"abort_timeout", KIND_SECONDS, FIELD(abort_timeout_ns), 0, 3600},
    {"lu_reset_timeout", KIND_SECONDS, FIELD(lu_reset_timeout_ns), 0, 3600},
    {"tgt_reset_timeout", KIND_SECONDS, FIELD(tgt_reset_timeout_ns), 0, 3600},
    {"eh_deadline", KIND_SECONDS, FIELD(eh_deadline_ns), -1, 86400},
    {"login_retries", KIND_NUMBER, FIELD(login_retries), 0, 10000},
    {"flush_after_reset", KIND_RESET, FIELD(flush_after_reset_fails), 0, 1},
    {"busy_poll_us", KIND_NUMBER, FIELD(busy_poll_us), 0, 1000000},
};
#define KEY_CNT (sizeof(keys) / sizeof(keys[0]))
_Static_assert(KEY_CNT <= 64, "a bit of struct iskra_keys_given each");

#define SECONDS(n) ((int64_t)(n)*1000000000)

void iskra_settings_default(struct iskra_settings *s)
{
    memset(s, 0, sizeof(*s)); /* padding too: settings are compared byte for byte */
    s->queue_depth = 32;
    s->cmds_max = 128;
    s->immediate_data = 1;
    s->initial_r2t = 0;
    s->first_burst = 0; /* open-iscsi's 262144, but never more than max_burst: see finish */
    s->max_burst = 16776192;
    s->max_recv = 262144;
    s->max_outstanding_r2t = 8;
    s->replacement_timeout_ns = SECONDS(120);
    s->login_timeout_ns = SECONDS(15);
    s->noop_interval_ns = SECONDS(5);
    s->noop_timeout_ns = SECONDS(5);
    s->command_timeout_ns = SECONDS(30);
    s->abort_timeout_ns = SECONDS(15);
    s->lu_reset_timeout_ns = SECONDS(30);
    s->tgt_reset_timeout_ns = SECONDS(30);
    s->eh_deadline_ns = -1;
}

static int parse_bool(const struct key *k, const char *value, uint32_t *ret,
                      struct iskra_error *err)
{
    static const char *const yes[] = {"yes", "Yes", "true", "on", "1"};
    static const char *const no[] = {"no", "No", "false", "off", "0"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcmp(value, yes[i]) == 0)
            return *ret = 1, 0;
        if (strcmp(value, no[i]) == 0)
            return *ret = 0, 0;
    }
    return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: %s=%.60s is neither yes nor no", k->name,
                      value);
}

static int parse_reset(const struct key *k, const char *value, uint32_t *ret,
                       struct iskra_error *err)
{
    bool fails = strcmp(value, "error") == 0;
    if (!fails && strcmp(value, "ignore") != 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: %s=%.60s is neither ignore nor error",
                          k->name, value);
    *ret = fails;
    return 0;
}

static int parse_number(const struct key *k, const char *value, uint32_t *ret,
                        struct iskra_error *err)
{
    int64_t v = 0;
    const char *p = value;
    for (; *p >= '0' && *p <= '9' && v < INT_MAX; p++)
        v = v * 10 + (*p - '0');
    bool digits = p != value;
    if (*p == 'K' || *p == 'k')
        v <<= 10, p++;
    else if (*p == 'M' || *p == 'm')
        v <<= 20, p++;
    if (!digits || *p != '\0' || v < k->min || v > k->max)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: %s=%.60s is not a number from %lld to %lld", k->name, value,
                          (long long)k->min, (long long)k->max);
    *ret = (uint32_t)v;
    return 0;
}

static int parse_seconds(const struct key *k, const char *value, int64_t *ret,
                         struct iskra_error *err)
{
    if (k->min < 0 && value[0] == '-') {
        *ret = -1;
        if (value[1] >= '0' && value[1] <= '9' &&
            strspn(value + 1, "0123456789") == strlen(value + 1))
            return 0;
    }
    int64_t whole = 0, frac = 0, unit = SECONDS(1);
    const char *p = value;
    for (; *p >= '0' && *p <= '9' && whole <= k->max; p++)
        whole = whole * 10 + (*p - '0');
    bool digits = p != value;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++) {
            unit /= 10;
            frac += unit * (*p - '0');
        }
    if (!digits || *p != '\0' || whole > k->max || SECONDS(whole) + frac > SECONDS(k->max))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: %s=%.60s is not a number of seconds from 0 to %lld%s", k->name,
                          value, (long long)k->max, k->min < 0 ? ", or negative for ever" : "");
    *ret = SECONDS(whole) + frac;
    return 0;
}

static int parse_digests(const struct key *k, const char *value, struct iskra_digest_list *ret,
                         struct iskra_error *err)
{
    struct iskra_digest_list list = {0};
    bool ok = true;
    for (const char *p = value; ok;) {
        size_t n = strcspn(p, ",");
        bool crc = n == 6 && strncasecmp(p, "crc32c", 6) == 0;
        bool none = n == 4 && strncasecmp(p, "none", 4) == 0;
        ok = (crc || none) && list.cnt < 2 && !(list.cnt == 1 && list.crc32c[0] == crc);
        if (ok)
            list.crc32c[list.cnt++] = crc;
        p += n;
        if (*p == '\0')
            break;
        p++;
    }
    if (!ok)
        return iskra_fail(
            err, ISKRA_E_USAGE, EINVAL,
            "URL: %s=%.60s is not none, crc32c, or both in order of preference with a comma",
            k->name, value);
    *ret = list;
    return 0;
}

static int parse_isid(const char *value, struct iskra_settings *s, struct iskra_error *err)
{
    if (value[0] == '0' && (value[1] == 'x' || value[1] == 'X'))
        value += 2;
    if (strlen(value) != 12 || strspn(value, "0123456789abcdefABCDEF") != 12)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: isid=%.60s is not 12 hex digits",
                          value);
    for (int i = 0; i < 12; i++) {
        char c = value[i];
        int d = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        s->isid[i / 2] = (uint8_t)(i & 1 ? s->isid[i / 2] | d : d << 4);
    }
    s->isid_given = true;
    return 0;
}

static int set_field(const struct key *k, const char *value, struct iskra_settings *s,
                     struct iskra_error *err)
{
    void *field = (char *)s + k->offset;
    switch (k->kind) {
    case KIND_BOOL:
        return parse_bool(k, value, field, err);
    case KIND_NUMBER:
        return parse_number(k, value, field, err);
    case KIND_SECONDS:
        return parse_seconds(k, value, field, err);
    case KIND_RESET:
        return parse_reset(k, value, field, err);
    case KIND_DIGESTS:
        return parse_digests(k, value, field, err);
    case KIND_ISID:
        return parse_isid(value, s, err);
    case KIND_CREDENTIAL:
        return iskra_credentials_set(field, k->name, value, err);
    case KIND_NAME:
        if (iskra_iscsi_name_check(value, k->name, err))
            return -EINVAL;
        strcpy(field, value); /* its length was judged with the name */
        return 0;
    }
    return -EINVAL;
}

int iskra_settings_set(struct iskra_settings *s, struct iskra_keys_given *given, const char *key,
                       const char *value, struct iskra_error *err)
{
    size_t i = 0;
    while (i < KEY_CNT && strcmp(keys[i].name, key) != 0)
        i++;
    if (i == KEY_CNT)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: unknown option '%s'", key);
    uint64_t bit = UINT64_C(1) << i;
    if (given->bits & bit)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: option '%s' is given twice", key);
    given->bits |= bit;
    return set_field(&keys[i], value, s, err);
}

int iskra_settings_finish(struct iskra_settings *s, struct iskra_error *err)
{
    if (s->first_burst == 0)
        s->first_burst = s->max_burst < 262144 ? s->max_burst : 262144;
    if (s->first_burst > s->max_burst)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: first_burst=%u is larger than max_burst=%u", s->first_burst,
                          s->max_burst);
    if (s->login_timeout_ns == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: login_timeout=0 leaves no time to log in");
    if (s->command_timeout_ns == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: timeout=0 leaves no time for a command");
    return iskra_credentials_finish(&s->chap, err);
}
