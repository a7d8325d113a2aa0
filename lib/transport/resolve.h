/* Names to addresses without holding up the loop. A numeric address is answered at once; a name by
 * one short-lived thread that runs getaddrinfo and reports through a descriptor watched by the
 * round (decision 38). A cancelled resolve leaves its thread alone: nobody waits for a slow name
 * server. */
#ifndef ISKRA_TRANSPORT_RESOLVE_H
#define ISKRA_TRANSPORT_RESOLVE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include <iskra/error.h>

#include "round.h"

#define ISKRA_ADDRESS_CNT_MAX 32u
#define ISKRA_ADDRESS_TEXT    64u

struct iskra_address {
    socklen_t len;
    union { /* sockaddr_storage is four times as long */
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } sa;
};

struct iskra_resolve;

/* Runs once, from the loop, never from inside iskra_resolve_start(); the addresses (in the
 * resolver's order, IPv4 and IPv6) and the error are valid during the call; the handle is gone by
 * then. status: 0, or a negative errno with cnt 0. */
typedef void iskra_resolve_fn(void *arg, int status, const struct iskra_address *addrs,
                              unsigned cnt, const struct iskra_error *err);

/* host: a name or a numeric address without brackets. 0 with *ret_resolve set: fn will run. Or a
 * negative errno, *err filled. */
int iskra_resolve_start(struct iskra_round *round, const char *host, uint16_t port,
                        iskra_resolve_fn *fn, void *arg, struct iskra_resolve **ret_resolve,
                        struct iskra_error *err);

void iskra_resolve_cancel(struct iskra_resolve *resolve); /* fn will not run; NULL is accepted */

/* "192.0.2.1:3260", "[2001:db8::1]:3260"; returns buf. */
char *iskra_address_format(const struct iskra_address *addr, char *buf, size_t size);

#endif
