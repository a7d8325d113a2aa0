/* What a device's answers come to: its best name, its capacity, its transfer limits, each judged
 * before it is believed. */
#ifndef ISKRA_SCSI_IDENTITY_H
#define ISKRA_SCSI_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#include "wire/capacity.h"

struct iskra_sdev;

/* The best designator of a VPD page 83h that names the logical unit: NAA, then EUI-64, then T10
 * vendor, then SCSI name, as "naa.6001405...", "eui....", "t10....", "name....". dst stays as it is
 * if there is none. */
void iskra_identity_from_vpd(const uint8_t *page, size_t len, char *dst, size_t dst_size);

/* Believes a capacity or refuses it, with the reason: block length a power of two from 512 to 64
 * KiB, no overflow. Sets sdev->capacity_known and what goes with it. 0 or -ENOTSUP, -EOVERFLOW. */
int iskra_capacity_settle(struct iskra_sdev *sdev, const struct iskra_capacity *c,
                          struct iskra_error *err);

/* What a MODE SENSE header says of writing, and the caching page where it is there. */
struct iskra_mode;
void iskra_mode_settle(struct iskra_sdev *sdev, const struct iskra_mode *mode);

/* Bytes per command: what the device says in VPD B0h, within our own limit, whole blocks, at least
 * one. */
void iskra_limits_settle(struct iskra_sdev *sdev, uint32_t max_transfer_blocks,
                         uint32_t optimal_transfer_blocks);

/* As if it had never been asked anything. */
void iskra_identity_forget(struct iskra_sdev *sdev);

#endif
