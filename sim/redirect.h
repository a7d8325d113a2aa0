/* A portal that answers each login with the address of another one (RFC 7143 11.13.5, class 1). */
#ifndef ISKRA_SIM_REDIRECT_H
#define ISKRA_SIM_REDIRECT_H

struct sim_peer;

void sim_redirect_init(struct sim_peer *peer);
void sim_redirect_pump(void *arg); /* of a struct sim_peer */

#endif
