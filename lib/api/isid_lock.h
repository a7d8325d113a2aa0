/* A lock per initiator name, ISID and target, for sessions whose ISID was chosen (isid=).
 *
 * A second session with the three of them is no second one to the target: it takes the place of the
 * first (RFC 7143 6.3.5), and the two would throw each other out for ever (decision 21). On one
 * machine and for one user this can be known beforehand. An ISID that was drawn needs no lock. */
#ifndef ISKRA_API_ISID_LOCK_H
#define ISKRA_API_ISID_LOCK_H

#include <stdint.h>

#include <iskra/error.h>

#define ISKRA_ISID_LOCK_LEN 6u

/* portal: where the target is, "host:port". 0 with *ret_fd set, or -EADDRINUSE with the pid of the
 * holder in *err; where no lock can be had (no directory for it), 0 with *ret_fd -1: who cannot
 * lock may log in all the same. Two sessions of one process lock each other out as well. */
int iskra_isid_lock_take(const char *initiator_name, const uint8_t isid[ISKRA_ISID_LOCK_LEN],
                         const char *target_name, const char *portal, int *ret_fd,
                         struct iskra_error *err);

/* Given back; -1 is accepted. The end of the process gives it back as well, the end of a forked
 * child does not. */
void iskra_isid_lock_drop(int fd);

#endif
