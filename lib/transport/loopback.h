/* Between two sockets of one host nothing is congested. */
#ifndef ISKRA_TRANSPORT_LOOPBACK_H
#define ISKRA_TRANSPORT_LOOPBACK_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

/* 127.0.0.0/8, as IPv4 or as IPv6, or ::1. */
static inline bool iskra_addr_is_loopback(const struct sockaddr *addr)
{
    const struct sockaddr_in *in = (const void *)addr;
    const struct sockaddr_in6 *in6 = (const void *)addr;
    if (addr->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (addr->sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

/* Where the system's congestion control paces what it sends (BBR does), a loopback connection waits
 * for timers instead of its peer: measured, less than half of the small writes a second at a queue
 * depth of 128. Reno does not pace, and any process may choose it. To be called before the
 * connection is made, since pacing that was once begun stays; on a listener for what it accepts. */
static inline void iskra_sock_unpaced(int fd)
{
    static const char reno[] = "reno";
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof(reno) - 1);
}

static inline void iskra_sock_unpaced_on_loopback(int fd, const struct sockaddr *addr)
{
    if (iskra_addr_is_loopback(addr))
        iskra_sock_unpaced(fd);
}

#endif
