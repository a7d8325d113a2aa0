/* Credentials: keys, files, descriptors, the environment. See secret.h. */
#include "api/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "error.h"

#define FILE_MAX (ISKRA_CHAP_SECRET_MAX + 2u) /* a secret and its newline, "\r\n" at most */

int iskra_secret_set(char *dst, const char *secret, const char *what, struct iskra_error *err)
{
    size_t len = strlen(secret);
    if (len == 0 || len > ISKRA_CHAP_SECRET_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s: %zu bytes, 1..%u are allowed", what, len,
                          ISKRA_CHAP_SECRET_MAX);
    if (dst[0] != '\0')
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s: the password was given before", what);
    memcpy(dst, secret, len);
    return 0;
}

/* The first line of what `fd` gives, without its newline. */
static int read_line(int fd, char *dst, const char *what, struct iskra_error *err)
{
    char buf[FILE_MAX + 1] = {0};
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len < FILE_MAX && !memchr(buf, '\n', len)) {
        n = read(fd, buf + len, FILE_MAX - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    int rc;
    if (n < 0) {
        rc = iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s cannot be read: %s", what, strerror(errno));
    } else {
        size_t line_len = strcspn(buf, "\n");
        if (line_len < len && buf[line_len] == '\0')
            rc = iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s: a zero byte in the first line", what);
        else {
            if (line_len > 0 && buf[line_len - 1] == '\r')
                line_len--;
            buf[line_len] = '\0';
            rc = iskra_secret_set(dst, buf, what, err);
        }
    }
    explicit_bzero(buf, sizeof(buf));
    return rc;
}

static int read_file(const char *path, char *dst, const char *what, struct iskra_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "URL: %s=%.80s cannot be opened: %s", what,
                          path, strerror(errno));
    char shown[128];
    snprintf(shown, sizeof(shown), "URL: %s=%.80s", what, path);
    int rc = read_line(fd, dst, shown, err);
    (void)close(fd); /* opened for reading only */
    return rc;
}

/* A descriptor that can be rewound is, so that a second LUN finds the same. */
static int read_fd(const char *value, char *dst, struct iskra_error *err)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 6 || value[digits] != '\0')
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: password_fd=%.20s is not the number of a descriptor", value);
    int fd = (int)strtol(value, NULL, 10);
    off_t at = lseek(fd, 0, SEEK_CUR);
    char what[40];
    snprintf(what, sizeof(what), "URL: password_fd=%d", fd);
    int rc = read_line(fd, dst, what, err);
    if (at >= 0)
        (void)lseek(fd, at, SEEK_SET); /* else a second reading says that it is empty */
    return rc;
}

static int read_env(const char *name, char *dst, struct iskra_error *err)
{
    const char *value = getenv(name);
    if (!value)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: password_env=%.60s is not in the environment", name);
    char what[96];
    snprintf(what, sizeof(what), "URL: password_env=%.60s", name);
    return iskra_secret_set(dst, value, what, err);
}

/* "md5,sha-256": each at most once. */
static int set_algorithms(struct iskra_chap_config *chap, const char *value,
                          struct iskra_error *err)
{
    static const struct {
        const char *name;
        uint8_t alg;
    } names[] = {{"md5", ISKRA_CHAP_MD5},          {"sha1", ISKRA_CHAP_SHA1},
                 {"sha-1", ISKRA_CHAP_SHA1},       {"sha-256", ISKRA_CHAP_SHA256},
                 {"sha256", ISKRA_CHAP_SHA256},    {"sha3-256", ISKRA_CHAP_SHA3_256},
                 {"sha3_256", ISKRA_CHAP_SHA3_256}};
    chap->alg_cnt = 0;
    memset(chap->algs, 0, sizeof(chap->algs));
    for (const char *p = value;; p++) {
        size_t len = strcspn(p, ",");
        uint8_t alg = 0;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strlen(names[i].name) == len && strncasecmp(p, names[i].name, len) == 0)
                alg = names[i].alg;
        }
        if (alg == 0 || memchr(chap->algs, alg, sizeof(chap->algs)))
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                              "URL: auth=%.60s is not a list of md5, sha1, sha-256, sha3-256",
                              value);
        chap->algs[chap->alg_cnt++] = alg;
        p += len;
        if (*p == '\0')
            return 0;
    }
}

static int set_name(char *dst, const char *name, const char *what, struct iskra_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > ISKRA_CHAP_NAME_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s: %zu bytes, 1..%u are allowed", what, len,
                          ISKRA_CHAP_NAME_MAX);
    memset(dst, 0, ISKRA_CHAP_NAME_MAX + 1); /* all of it: it is compared byte for byte */
    memcpy(dst, name, len);
    return 0;
}

int iskra_credentials_set(struct iskra_chap_config *chap, const char *key, const char *value,
                          struct iskra_error *err)
{
    if (strcmp(key, "auth") == 0)
        return set_algorithms(chap, value, err);
    if (strcmp(key, "user") == 0 && chap->user[0])
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: user=%.60s: a user stands before the host, too", value);
    if (strcmp(key, "user") == 0)
        return set_name(chap->user, value, key, err);
    if (strcmp(key, "target_user") == 0)
        return set_name(chap->target_user, value, key, err);
    if (strcmp(key, "target_password") == 0)
        return iskra_secret_set(chap->target_secret, value, key, err);
    if (strcmp(key, "target_password_file") == 0)
        return read_file(value, chap->target_secret, key, err);
    if (strcmp(key, "password_file") == 0)
        return read_file(value, chap->secret, key, err);
    if (strcmp(key, "password_fd") == 0)
        return read_fd(value, chap->secret, err);
    return read_env(value, chap->secret, err);
}

/* Set, and not to nothing. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* As with libiscsi, what the URL lacks may come from these. */
static int from_environment(struct iskra_chap_config *chap, struct iskra_error *err)
{
    static const char user[] = "LIBISCSI_CHAP_USERNAME", pass[] = "LIBISCSI_CHAP_PASSWORD",
                      target_user[] = "LIBISCSI_CHAP_TARGET_USERNAME",
                      target_pass[] = "LIBISCSI_CHAP_TARGET_PASSWORD";
    const char *value;
    int rc = 0;
    if (!chap->user[0] && (value = variable(user)))
        rc = set_name(chap->user, value, user, err);
    if (rc == 0 && chap->user[0] && !chap->secret[0] && (value = variable(pass)))
        rc = iskra_secret_set(chap->secret, value, pass, err);
    if (rc || !chap->user[0])
        return rc;
    if (!chap->target_user[0] && !chap->target_secret[0] && (value = variable(target_user)))
        rc = set_name(chap->target_user, value, target_user, err);
    if (rc == 0 && chap->target_user[0] && !chap->target_secret[0] &&
        (value = variable(target_pass)))
        rc = iskra_secret_set(chap->target_secret, value, target_pass, err);
    return rc;
}

int iskra_credentials_finish(struct iskra_chap_config *chap, struct iskra_error *err)
{
    int rc = from_environment(chap, err);
    if (rc)
        return rc;
    bool mutual = chap->target_user[0] || chap->target_secret[0];
    if (!chap->user[0] && (chap->secret[0] || mutual || chap->alg_cnt > 0))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: authentication was asked for, but no user is given "
                          "(USER@HOST, user=)");
    if (chap->user[0] && !chap->secret[0])
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: a user is given, but no password (password_file=, password_fd=, "
                          "password_env=)");
    if (mutual && !chap->target_secret[0])
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: target_user is given, but no target password "
                          "(target_password_file=)");
    /* RFC 7143 12.1.4: a target that knows only one of two equal secrets could play both sides. */
    if (mutual && strcmp(chap->secret, chap->target_secret) == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: the passwords of both directions are the same");
    return 0;
}
