/* Requests in flight; see depth.h. */
#include "depth.h"

const struct cli_depth cli_depth_usual = {.qd = 16, .bs = 1u << 20};

uint64_t cli_depth_chunk_len(const struct cli_depth *depth, const struct iskra_lun_info *lun)
{
    uint64_t len = depth->bs;
    if (lun->max_transfer_len && lun->max_transfer_len < len)
        len = lun->max_transfer_len;
    len -= len % lun->block_len;
    return len ? len : lun->block_len;
}
