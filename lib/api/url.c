/* Splitting a URL into its parts; the values of its keys are settings.c's business. */
#include "api/url.h"

#include <errno.h>
#include <string.h>

#include "api/secret.h"
#include "api/settings.h"
#include "error.h"

struct part {
    const char *p;
    size_t len;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* %-decodes a part. NUL and control bytes are refused: no part of a URL has a use for them. */
static int decode(struct part in, char *dst, size_t dst_size, const char *what,
                  struct iskra_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            int hi = in.len - i > 2 ? hex_digit(in.p[i + 1]) : -1;
            int lo = in.len - i > 2 ? hex_digit(in.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                                  "URL: %s: '%%' at byte %zu is not followed by two hex digits",
                                  what, i);
            c = hi << 4 | lo;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: %s: byte 0x%02x is not allowed",
                              what, c);
#ifndef ISKRA_PLANTED_URL_LENGTH /* left out on purpose to prove that the fuzzer finds it */
        if (n + 1 >= dst_size)
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: %s is longer than %zu bytes", what,
                              dst_size - 1);
#endif
        dst[n++] = (char)c;
    }
    dst[n] = '\0';
    return 0;
}

/* Decimal, at most `max`. -1 if it is not that. */
static long number(struct part in, long max)
{
    long v = 0;
    if (in.len == 0 || in.len > 9)
        return -1;
    for (size_t i = 0; i < in.len; i++) {
        if (in.p[i] < '0' || in.p[i] > '9')
            return -1;
        v = v * 10 + (in.p[i] - '0');
    }
    return v <= max ? v : -1;
}

/* Takes what stands before the first of `stops` off *rest; the stop itself stays. */
static struct part take_until(struct part *rest, const char *stops)
{
    size_t n = 0;
    while (n < rest->len && strchr(stops, rest->p[n]) == NULL)
        n++;
    struct part head = {rest->p, n};
    rest->p += n;
    rest->len -= n;
    return head;
}

static bool skip(struct part *rest, char c)
{
    if (rest->len == 0 || rest->p[0] != c)
        return false;
    rest->p++;
    rest->len--;
    return true;
}

/* What stands before the last '@' of the authority. */
static bool split_user(struct part *authority, struct part *ret_user)
{
    const char *at = memrchr(authority->p, '@', authority->len);
    if (at == NULL)
        return false;
    *ret_user = (struct part){authority->p, (size_t)(at - authority->p)};
    authority->len -= ret_user->len + 1;
    authority->p = at + 1;
    return true;
}

/* user, user:password with both %-decoded, or user%password as libiscsi writes it, where '%' is a
 * separator and the rest stands as it is. */
static int parse_user(struct part in, struct iskra_url *url, struct iskra_error *err)
{
    struct iskra_chap_config *chap = &url->settings.chap;
    bool colon = memchr(in.p, ':', in.len) != NULL;
    struct part user = take_until(&in, colon ? ":" : "%");
    if (user.len == 0 || user.len > ISKRA_CHAP_NAME_MAX || in.len > 3 * ISKRA_CHAP_SECRET_MAX + 1)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: user name or password is empty or longer than %u bytes",
                          ISKRA_CHAP_NAME_MAX);
    if (!colon)
        memcpy(chap->user, user.p, user.len);
    else if (decode(user, chap->user, sizeof(chap->user), "user name", err))
        return -EINVAL;
    if (in.len == 0)
        return 0;
    url->password_in_url = true;
    char secret[3 * ISKRA_CHAP_SECRET_MAX + 2] = {0};
    int rc = 0;
    in.p++;
    in.len--;
    if (colon)
        rc = decode(in, secret, sizeof(secret), "password", err);
    else
        memcpy(secret, in.p, in.len);
    if (rc == 0)
        rc = iskra_secret_set(chap->secret, secret, "password in the URL", err);
    explicit_bzero(secret, sizeof(secret));
    return rc;
}

/* host, host:port, [v6], [v6]:port. A portal group tag after a comma, as discovery prints it, is
 * dropped. */
static int parse_authority(struct part in, struct iskra_url *url, struct iskra_error *err)
{
    struct part host;
    struct part user;
    int rc;
    if (split_user(&in, &user) && (rc = parse_user(user, url, err)))
        return rc;
    if (skip(&in, '[')) {
        host = take_until(&in, "]");
        if (!skip(&in, ']'))
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: '[' without ']' in the host");
    } else {
        host = take_until(&in, ":,");
    }
    if (host.len == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: no host");
    if ((rc = decode(host, url->host, sizeof(url->host), "host", err)))
        return rc;
    url->port = 3260;
    if (skip(&in, ':')) {
        struct part port = take_until(&in, ",");
        long v = number(port, 65535);
        if (v < 1)
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: port '%.*s' is not 1..65535",
                              (int)port.len, port.p);
        url->port = (uint16_t)v;
    }
    if (skip(&in, ',') && number(in, 65535) < 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: portal group tag '%.*s' is not 0..65535", (int)in.len, in.p);
    else if (in.len && number(in, 65535) < 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: '%.*s' after the host is not a port",
                          (int)in.len, in.p);
    return 0;
}

static int parse_path(struct part in, struct iskra_url *url, struct iskra_error *err)
{
    struct part target = take_until(&in, "/");
    if (target.len == 0)
        return in.len == 0 ? 0 : iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: empty target name");
    int rc = decode(target, url->target, sizeof(url->target), "target name", err);
    if (rc || (rc = iskra_iscsi_name_check(url->target, "target name", err)))
        return rc;
    url->has_target = true;
    if (!skip(&in, '/') || in.len == 0)
        return 0;
    long lun = number(in, ISKRA_URL_LUN_MAX);
    if (lun < 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: LUN '%.*s' is not 0..%u",
                          (int)(in.len > 40 ? 40 : in.len), in.p, ISKRA_URL_LUN_MAX);
    url->lun = (uint16_t)lun;
    url->has_lun = true;
    return 0;
}

static int parse_option(struct part pair, struct iskra_url *url, struct iskra_keys_given *given,
                        char *value, size_t value_size, struct iskra_error *err)
{
    char key[64];
    struct part k = take_until(&pair, "=");
    int rc = decode(k, key, sizeof(key), "option name", err);
    if (rc)
        return rc;
    if (!skip(&pair, '='))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: option '%s' has no value", key);
    if ((rc = decode(pair, value, value_size, key, err)))
        return rc;
    if (strcmp(key, "target_password") == 0)
        url->password_in_url = true;
    return iskra_settings_set(&url->settings, given, key, value, err);
}

static int parse_query(struct part in, struct iskra_url *url, struct iskra_error *err)
{
    char value[1024] = {0};
    struct iskra_keys_given given = {0};
    int rc = 0;
    while (rc == 0 && in.len) {
        struct part pair = take_until(&in, "&");
        skip(&in, '&');
        if (pair.len > 0)
            rc = parse_option(pair, url, &given, value, sizeof(value), err);
    }
    explicit_bzero(value, sizeof(value)); /* it may have been a password */
    return rc;
}

void iskra_url_wipe(struct iskra_url *url)
{
    explicit_bzero(&url->settings.chap, sizeof(url->settings.chap));
}

/* From behind the scheme on; *url is filled as far as one gets. */
static int parse_parts(struct part rest, struct iskra_url *url, struct iskra_error *err)
{
    iskra_settings_default(&url->settings);
    struct part authority = take_until(&rest, "/?");
    int rc = parse_authority(authority, url, err);
    if (rc)
        return rc;
    if (skip(&rest, '/') && (rc = parse_path(take_until(&rest, "?"), url, err)))
        return rc;
    if (skip(&rest, '?') && (rc = parse_query(rest, url, err)))
        return rc;
    return iskra_settings_finish(&url->settings, err);
}

/* Up to one more than is allowed, however long the text is. */
static size_t url_len(const char *text)
{
    size_t len = 0;
    while (len <= ISKRA_URL_LEN_MAX && text[len] != '\0')
        len++;
    return len;
}

int iskra_url_parse(const char *text, struct iskra_url *ret_url, struct iskra_error *err)
{
    static const char scheme[] = "iscsi://";
    struct iskra_url url = {0};
    struct part rest = {text, url_len(text)};
    if (rest.len > ISKRA_URL_LEN_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL is longer than %u bytes",
                          ISKRA_URL_LEN_MAX);
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.p[i] < 0x21 || rest.p[i] == 0x7f)
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: byte 0x%02x at %zu is not allowed",
                              (unsigned char)rest.p[i], i);
    if (strncmp(text, scheme, sizeof(scheme) - 1) == 0) {
        rest.p += sizeof(scheme) - 1;
        rest.len -= sizeof(scheme) - 1;
    } else if (strstr(text, "://") != NULL) {
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: the scheme is not iscsi://");
    }
    int rc = parse_parts(rest, &url, err);
    if (rc == 0)
        *ret_url = url;
    iskra_url_wipe(&url);
    return rc;
}

int iskra_iscsi_name_check(const char *name, const char *what, struct iskra_error *err)
{
    char shown[64];
    size_t len = strlen(name);
    iskra_escape(shown, sizeof(shown), name, len);
    if (len > ISKRA_ISCSI_NAME_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s has %zu bytes, at most %u are allowed",
                          what, len, ISKRA_ISCSI_NAME_MAX);
    if (strncmp(name, "iqn.", 4) && strncmp(name, "eui.", 4) && strncmp(name, "naa.", 4))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "%s '%s' does not begin with iqn., eui. or naa.", what, shown);
    if (len == 4)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s '%s' has nothing after its type", what,
                          shown);
    /* RFC 7143 4.2.7.2 allows letters, digits, '-', '.', ':' and UTF-8; targets in the field also
     * use '_'. What is refused is what could end a text key or be mistaken for something else:
     * blanks, controls, '/', ',', '='. */
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("/,=\\", *p))
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                              "%s '%s' has a character that names cannot have", what, shown);
    return 0;
}
