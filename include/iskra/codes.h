/* Numbers of SAM, SPC and SBC that the library and its users both speak of. Names for them are in
 * scsi.h. */
#ifndef ISKRA_CODES_H
#define ISKRA_CODES_H

/* SAM-5 5.3.1 */
enum iskra_scsi_status {
    ISKRA_STATUS_GOOD = 0x00,
    ISKRA_STATUS_CHECK_CONDITION = 0x02,
    ISKRA_STATUS_CONDITION_MET = 0x04,
    ISKRA_STATUS_BUSY = 0x08,
    ISKRA_STATUS_RESERVATION_CONFLICT = 0x18,
    ISKRA_STATUS_TASK_SET_FULL = 0x28,
    ISKRA_STATUS_ACA_ACTIVE = 0x30,
    ISKRA_STATUS_TASK_ABORTED = 0x40,
};

/* SPC-4 4.5.6 */
enum iskra_sense_key {
    ISKRA_SENSE_NO_SENSE = 0x0,
    ISKRA_SENSE_RECOVERED_ERROR = 0x1,
    ISKRA_SENSE_NOT_READY = 0x2,
    ISKRA_SENSE_MEDIUM_ERROR = 0x3,
    ISKRA_SENSE_HARDWARE_ERROR = 0x4,
    ISKRA_SENSE_ILLEGAL_REQUEST = 0x5,
    ISKRA_SENSE_UNIT_ATTENTION = 0x6,
    ISKRA_SENSE_DATA_PROTECT = 0x7,
    ISKRA_SENSE_BLANK_CHECK = 0x8,
    ISKRA_SENSE_VENDOR_SPECIFIC = 0x9,
    ISKRA_SENSE_COPY_ABORTED = 0xa,
    ISKRA_SENSE_ABORTED_COMMAND = 0xb,
    ISKRA_SENSE_VOLUME_OVERFLOW = 0xd,
    ISKRA_SENSE_MISCOMPARE = 0xe,
    ISKRA_SENSE_COMPLETED = 0xf,
};

/* Peripheral device type, SPC-4 6.6.2; the others are listed with their number. */
enum iskra_device_type {
    ISKRA_TYPE_DISK = 0x00,
    ISKRA_TYPE_TAPE = 0x01,
    ISKRA_TYPE_CDROM = 0x05,
    ISKRA_TYPE_CONTROLLER = 0x0c, /* storage array controller: tgt's LUN 0 */
    ISKRA_TYPE_ENCLOSURE = 0x0d,
    ISKRA_TYPE_WELL_KNOWN = 0x1e,
    ISKRA_TYPE_UNKNOWN = 0x1f,
};

/* Peripheral qualifier: 0 = connected, 1 = possible but not connected, 3 = no such LUN here. */
#define ISKRA_PQ_CONNECTED     0u
#define ISKRA_PQ_NOT_CONNECTED 1u
#define ISKRA_PQ_ABSENT        3u

/* What a designator of VPD page 83h is made of, SPC-4 7.8.6, and what it names. */
enum iskra_designator_type {
    ISKRA_DESIGNATOR_VENDOR = 0,
    ISKRA_DESIGNATOR_T10 = 1,
    ISKRA_DESIGNATOR_EUI64 = 2,
    ISKRA_DESIGNATOR_NAA = 3,
    ISKRA_DESIGNATOR_PORT = 4, /* relative target port */
    ISKRA_DESIGNATOR_PORT_GROUP = 5,
    ISKRA_DESIGNATOR_LU_GROUP = 6,
    ISKRA_DESIGNATOR_MD5 = 7,
    ISKRA_DESIGNATOR_NAME = 8, /* SCSI name string */
};
#define ISKRA_ASSOCIATION_LUN    0u
#define ISKRA_ASSOCIATION_PORT   1u
#define ISKRA_ASSOCIATION_TARGET 2u

#endif
