/* Raw SCSI: any CDB, and decoders for what comes back. */
#ifndef ISKRA_SCSI_H
#define ISKRA_SCSI_H

#include <iskra/codes.h>
#include <iskra/iskra.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As iskra_open() and iskra_open_sync(), but the LUN itself is asked nothing: for those who bring
 * their own CDBs from the first on, and for LUNs that are there only for some of them (REPORT LUNS
 * to a LUN 0 that does not exist). struct iskra_lun_info stays empty, only ISKRA_RAW may be
 * submitted, and the first command sees the LUN's power-on unit attention. */
ISKRA_PUBLIC int iskra_open_raw(struct iskra *ctx, const char *url, iskra_open_fn *fn, void *arg,
                                struct iskra_error *err);
ISKRA_PUBLIC int iskra_open_raw_sync(struct iskra *ctx, const char *url, struct iskra_lun **ret_lun,
                                     struct iskra_error *err);

/* Sends a CDB with at most in_len bytes of data in (0: none) and waits. *ret_len is what came. 0 or
 * a negative errno; a CHECK CONDITION is -EIO with the sense in *err. Unit attentions are the
 * caller's to see. */
ISKRA_PUBLIC int iskra_raw_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len,
                                void *in, uint32_t in_len, uint32_t *ret_len,
                                struct iskra_error *err);

/* The same with out_len bytes of data out. *ret_len (may be NULL) is how many the LUN took. If
 * nobody knows whether the command was executed (the session was lost, no answer came in time), the
 * error is ISKRA_E_OUTCOME_UNKNOWN. */
ISKRA_PUBLIC int iskra_raw_out_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len,
                                    const void *out, uint32_t out_len, uint32_t *ret_len,
                                    struct iskra_error *err);

/* ---- decoders ----
 *
 * Each reads len bytes as a LUN sent them and writes nothing but the struct, on success only:
 * 0, or -EBADMSG for bytes that cannot be what the name says. Bytes that are missing at the end of
 * an answer leave their fields 0. Pointers point into the caller's bytes, text in arrays is
 * NUL-terminated and safe to print. */

/* Sense data, in fixed or descriptor format. */
struct iskra_sense_info {
    uint8_t key;       /* enum iskra_sense_key */
    uint8_t asc, ascq; /* additional sense code and qualifier */
    uint8_t deferred;  /* 1: about an earlier command */
    uint8_t information_valid, specific_valid;
    uint8_t filemark, eom, ili;
    uint8_t fru;          /* field replaceable unit code; 0: none */
    uint8_t field_valid;  /* illegal request: field_offset and field_bit say which is wrong */
    uint8_t field_in_cdb; /* 1: of the CDB; 0: of the data out */
    uint8_t field_bit;    /* 0..7; 255: not told */
    uint8_t progress_valid;
    uint16_t field_offset; /* bytes */
    uint16_t progress;     /* not ready: so many of 65536 parts are done */
    uint64_t information;  /* often the LBA of the first block in error */
    uint64_t specific;     /* command-specific information */
    uint64_t reserved[2];
};
ISKRA_PUBLIC int iskra_sense_parse(const uint8_t *sense, size_t len,
                                   struct iskra_sense_info *ret_info);

/* Standard INQUIRY data. */
struct iskra_inquiry_info {
    uint8_t qualifier; /* ISKRA_PQ_ */
    uint8_t type;      /* enum iskra_device_type */
    uint8_t removable;
    uint8_t version;    /* 5: SPC-3, 6: SPC-4 */
    uint8_t tpgs;       /* ALUA: bit 0 implicit, bit 1 explicit */
    uint8_t protection; /* can be formatted with protection information */
    char vendor[9], product[17], revision[5];
    uint8_t reserved[27];
};
ISKRA_PUBLIC int iskra_inquiry_parse(const uint8_t *bytes, size_t len,
                                     struct iskra_inquiry_info *ret_info);

/* READ CAPACITY(16) data, 32 bytes, or READ CAPACITY(10) data, exactly 8. */
struct iskra_capacity_info {
    uint64_t block_cnt; /* 0 of READ CAPACITY(10): too many for it, ask with (16) */
    uint32_t block_len; /* bytes, as told */
    uint32_t physical_block_len;
    uint32_t lowest_aligned_lba;
    uint8_t thin, unmapped_zeroes;
    uint8_t protection_type; /* 0: none; 1..3 */
    uint8_t reserved[9];
};
ISKRA_PUBLIC int iskra_capacity_parse(const uint8_t *bytes, size_t len,
                                      struct iskra_capacity_info *ret_info);

/* VPD page 80h: the serial number without spaces around it, cut to size - 1 characters (252 are
 * enough) and with '?' for what cannot be printed. */
ISKRA_PUBLIC int iskra_serial_parse(const uint8_t *page, size_t len, char *ret_serial, size_t size);

/* VPD page 83h, one designator after the other: start with *pos = 0. 1 with a designator, 0 at the
 * end, -EBADMSG. The best one that names the LUN is struct iskra_lun_info.identity already. */
struct iskra_designator_info {
    const uint8_t *id;
    size_t id_len;
    uint8_t type;        /* enum iskra_designator_type */
    uint8_t association; /* ISKRA_ASSOCIATION_ */
    uint8_t code_set;    /* 1 binary, 2 ASCII, 3 UTF-8 */
    uint8_t protocol;    /* 5: iSCSI; 255: not told */
    uint8_t reserved[12];
};
ISKRA_PUBLIC int iskra_designator_next(const uint8_t *page, size_t len, size_t *pos,
                                       struct iskra_designator_info *ret_info);

/* VPD page B0h, in logical blocks; 0: the LUN does not say. */
struct iskra_limits_info {
    uint64_t max_write_same_blocks;
    uint32_t max_transfer_blocks, optimal_transfer_blocks;
    uint32_t optimal_granularity_blocks;
    uint32_t max_compare_and_write_blocks;
    uint32_t max_unmap_blocks, max_unmap_descriptor_cnt;
    uint32_t unmap_granularity_blocks, unmap_alignment_blocks;
    uint32_t reserved[6];
};
ISKRA_PUBLIC int iskra_limits_parse(const uint8_t *page, size_t len,
                                    struct iskra_limits_info *ret_info);

/* VPD page B2h. */
struct iskra_provisioning_info {
    uint8_t type;                         /* 0 not told, 1 resource, 2 thin */
    uint8_t unmap;                        /* UNMAP */
    uint8_t write_same_10, write_same_16; /* with their UNMAP bit */
    uint8_t unmapped_zeroes;
    uint8_t anchor;
    uint8_t threshold_exponent;
    uint8_t reserved[9];
};
ISKRA_PUBLIC int iskra_provisioning_parse(const uint8_t *page, size_t len,
                                          struct iskra_provisioning_info *ret_info);

/* REPORT LUNS data. Fills at most max entries of luns (which may be NULL if max is 0), each as a
 * number where it is a plain one, else all of its 8 bytes with the first in the highest bits.
 * Returns how many LUNs there are in the bytes, or -EBADMSG. *ret_stated (may be NULL): how many
 * the target says there are; more than returned means that the allocation length was too small. */
ISKRA_PUBLIC int iskra_luns_parse(const uint8_t *bytes, size_t len, uint64_t *luns, unsigned max,
                                  unsigned *ret_stated);

/* Words for people: static storage, "?" for an unknown value. */
ISKRA_PUBLIC const char *iskra_device_type_name(uint8_t type);      /* "disk" */
ISKRA_PUBLIC const char *iskra_scsi_status_name(uint8_t status);    /* "CHECK CONDITION" */
ISKRA_PUBLIC const char *iskra_sense_key_name(uint8_t key);         /* "ILLEGAL REQUEST" */
ISKRA_PUBLIC const char *iskra_asc_name(uint8_t asc, uint8_t ascq); /* "LUN NOT READY ..." */

/* "READ(10)". service_action counts where the opcode has one, else 0. */
ISKRA_PUBLIC const char *iskra_cdb_name(uint8_t opcode, uint16_t service_action);

#ifdef __cplusplus
}
#endif
#endif
