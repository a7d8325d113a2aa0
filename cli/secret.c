/* Secrets from files. See secret.h. They are never printed, not even in part. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* RFC 7143 9.2.1: 96 bits is the least for CHAP. */
#define STRONG_LEN 12

/* At most `size` bytes; -1 with errno. */
static ssize_t file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -1;
    size_t len = 0;
    ssize_t n = 0;
    do {
        n = read(fd, buf + len, size - len);
        if (n > 0)
            len += (size_t)n;
    } while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
    int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? -1 : (ssize_t)len;
}

/* Cuts the end of the line off. NULL, or what is wrong with the rest. */
static const char *line_judge(const char *buf, size_t *len)
{
    if (*len > 0 && buf[*len - 1] == '\n')
        --*len;
    if (*len > 0 && buf[*len - 1] == '\r')
        --*len;
    if (*len == 0)
        return "is empty, no secret";
    if (memchr(buf, '\n', *len))
        return "has more than one line";
    if (memchr(buf, '\0', *len))
        return "has a NUL byte, which no secret may have";
    return *len > CLI_SECRET_MAX ? "holds more than the 255 bytes of a secret" : NULL;
}

int cli_secret_read(const struct cli *cli, const char *option, const char *path,
                    struct cli_secret *ret)
{
    char buf[CLI_SECRET_MAX + 3]; /* a byte too many, and the end of the line */
    ssize_t got = file_read(path, buf, sizeof(buf));
    if (got < 0) {
        cli_error(cli, "--%s %s: %s", option, path, strerror(errno));
        return CLI_OTHER;
    }
    size_t len = (size_t)got;
    const char *wrong = line_judge(buf, &len);
    if (!wrong) {
        memcpy(ret->text, buf, len);
        ret->text[len] = '\0';
    }
    explicit_bzero(buf, sizeof(buf));
    if (wrong)
        return cli_usage(cli, "--%s %s: the file %s", option, path, wrong);
    if (len < STRONG_LEN && !cli->quiet)
        cli_error(cli, "--%s %s: warning: a secret of %zu bytes is easily found, take %d or more",
                  option, path, len, STRONG_LEN);
    return CLI_OK;
}

void cli_secret_wipe(struct cli_secret *secret)
{
    explicit_bzero(secret, sizeof(*secret));
}
