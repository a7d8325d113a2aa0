/* The target's portal: TCP sockets on epoll around the core of target.h, one thread. It prints
 * nothing and touches no signal: who runs it gives it a descriptor that becomes readable when it is
 * to stop (an eventfd, a signalfd, the end of a pipe).
 *
 *     iskra_target_portal_new(target, &portal, &err)
 *     iskra_target_portal_listen(portal, "127.0.0.1:0", &err)      any number up to 8
 *     printf("listening on %s\n", iskra_target_portal_address(portal, 0))
 *     iskra_target_portal_run(portal, stop_fd, &err)               here, or on a thread of its own
 *     iskra_target_portal_free(portal); iskra_target_free(target)
 */
#ifndef ISKRA_TARGET_PORTAL_H
#define ISKRA_TARGET_PORTAL_H

#include "target/target.h"

struct iskra_target_portal;

int iskra_target_portal_new(struct iskra_target *target, struct iskra_target_portal **ret_portal,
                            struct iskra_error *err);

/* `address`: "ADDR:PORT", "[V6ADDR]:PORT", or without port (3260). Port 0 picks a free one. 0 or a
 * negative errno. */
int iskra_target_portal_listen(struct iskra_target_portal *portal, const char *address,
                               struct iskra_error *err);

/* Looks for more for so long after something has come, instead of sleeping; 0, as at first: sleeps
 * at once. Initiators get their answers sooner, for a core of its own. Before _run(). */
void iskra_target_portal_busy_poll(struct iskra_target_portal *portal, uint64_t ns);

/* The actual address of a listener as "ADDR:PORT", NULL beyond the last. Valid until _free(). */
const char *iskra_target_portal_address(const struct iskra_target_portal *portal, unsigned index);

/* Serves until stop_fd is readable (it is not read). 0, or a negative errno if the loop itself
 * fails; what goes wrong with one connection ends only that. */
int iskra_target_portal_run(struct iskra_target_portal *portal, int stop_fd,
                            struct iskra_error *err);

/* Closes all sockets and ends their connections. NULL is fine. */
void iskra_target_portal_free(struct iskra_target_portal *portal);

#endif
