/* "ADDR:PORT" as text and as a socket address: see address.h. */
#include "target/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define HOST_MAX 256u

/* Splits "HOST", "HOST:PORT", "[HOST]", "[HOST]:PORT". A bare IPv6 address has several colons and
 * no port. */
static int split(const char *text, char *host, const char **ret_port)
{
    const char *end, *port = "3260";
    const char *begin = text;
    if (*text == '[') {
        begin++;
        end = strchr(begin, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return -EINVAL;
        if (end[1] == ':')
            port = end + 2;
    } else {
        const char *colon = strchr(text, ':');
        bool has_port = colon && !strchr(colon + 1, ':');
        end = has_port ? colon : text + strlen(text);
        if (has_port)
            port = colon + 1;
    }
    size_t len = (size_t)(end - begin);
    size_t digit_cnt = strspn(port, "0123456789");
    if (len >= HOST_MAX || digit_cnt < 1 || digit_cnt > 5 || port[digit_cnt] != '\0' ||
        strtoul(port, NULL, 10) > 65535) /* the C library would take it modulo 65536 */
        return -EINVAL;
    memcpy(host, begin, len);
    host[len] = '\0';
    *ret_port = port;
    return 0;
}

int target_address_parse(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
                         struct iskra_error *err)
{
    char host[HOST_MAX];
    const char *port;
    if (split(text, host, &port) < 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s is not ADDR:PORT", text);
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc != 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s: %s", text, gai_strerror(rc));
    memcpy(ret_addr, found->ai_addr, found->ai_addrlen);
    *ret_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int target_address_local(int fd, char *ret_text)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char host[ADDRESS_TEXT_MAX], port[8];
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return -errno;
    if (getnameinfo((const struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    bool v6 = addr.ss_family == AF_INET6;
    int n = snprintf(ret_text, ADDRESS_TEXT_MAX, v6 ? "[%s]:%s" : "%s:%s", host, port);
    return n < (int)ADDRESS_TEXT_MAX ? 0 : -ENAMETOOLONG;
}
