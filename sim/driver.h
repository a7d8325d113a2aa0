/* The loop's driver over the simulated network: a third implementation of the table in
 * transport/transport.h, beside epoll. Where epoll waits for the kernel, it lets virtual time go on
 * until something is ready. That nothing at all would ever happen while somebody waits without
 * limit is a failure of the run. */
#ifndef ISKRA_SIM_DRIVER_H
#define ISKRA_SIM_DRIVER_H

#include "sim/clock.h"
#include "transport/transport.h"

struct sim;
struct sim_driver;

extern const struct iskra_driver_ops sim_driver_ops;

#endif
