/* See cache.h. */
#include "scsi/cache.h"

#include "scsi/device.h"
#include "scsi/disposition.h"

void iskra_cache_flush_begins(struct iskra_scsi_request *sreq)
{
    sreq->covered_cnt = sreq->sdev->written_cnt;
}

void iskra_cache_written(const struct iskra_scsi_request *sreq)
{
    if (sreq->kind != ISKRA_REQUEST_READ && sreq->kind != ISKRA_REQUEST_BLOCK_STATUS &&
        iskra_scsi_request_is_block(sreq) && !sreq->fua && sreq->sdev->write_cache)
        sreq->sdev->written_cnt++;
}

void iskra_cache_flushed(const struct iskra_scsi_request *sreq)
{
    if (sreq->covered_cnt > sreq->sdev->flushed_cnt)
        sreq->sdev->flushed_cnt = sreq->covered_cnt;
}

/* SPC-4 annex D, 29h: 00 to 04 are power on and resets of all kinds. Transceivers that changed
 * their mode (05, 06) and a lost I_T nexus (07) leave the cache alone. */
static bool may_empty_the_cache(uint8_t asc, uint8_t ascq)
{
    return asc == 0x29 && ascq <= 0x04;
}

static void device_was_reset(struct iskra_sdev *sdev)
{
    const struct iskra_shost *host = sdev->host;
    uint64_t lost_cnt = sdev->written_cnt - sdev->flushed_cnt;
    if (lost_cnt == 0 || !sdev->write_cache)
        return;
    sdev->flushed_cnt = sdev->written_cnt; /* told once */
    if (host->flush_after_reset_fails)
        sdev->reset_lost_cnt += lost_cnt;
    if (host->ops->cache_lost != NULL)
        host->ops->cache_lost(host->ops_arg, sdev, lost_cnt);
}

static struct iskra_sdev *sdev_at(struct iskra_list *l)
{
    return iskra_container_of(l, struct iskra_sdev, link);
}

void iskra_cache_unit_attention(struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq)
{
    if (!may_empty_the_cache(asc, ascq))
        return;
    ISKRA_LIST_FOREACH(l, &sdev->host->devices)
    if (sdev_at(l)->lun == sdev->lun)
        device_was_reset(sdev_at(l));
}

void iskra_cache_sense(struct iskra_sdev *sdev, const struct iskra_sense *sense, bool flush)
{
    if (!iskra_sense_lost_write(sense))
        return;
    ISKRA_LIST_FOREACH(l, &sdev->host->devices)
    if (sdev_at(l)->lun == sdev->lun && !(flush && sdev_at(l) == sdev))
        sdev_at(l)->lost_write = *sense;
}
