/* Command descriptor blocks: one table of where each command keeps its fields, read by encoder and
 * decoder. */
#include "wire/cdb.h"

#include <errno.h>
#include <string.h>

/* A field of up to 64 bits, in whole bytes; width 0: the command has none. */
struct place {
    uint8_t offset, width;
};

/* Where the flags are: byte and mask for each ISKRA_CDB_ bit. */
struct flag_place {
    uint32_t flag;
    uint8_t offset, mask;
};
#define FLAGS_MAX 4

enum {
    WITH_SA = 1,      /* service action: low 5 bits of byte 1 */
    WITH_PROTECT = 2, /* high 3 bits of byte 1, of byte 10 in a 32-byte command */
    WITH_PAGE = 4,    /* INQUIRY: page code in byte 2 */
    WITH_MODE = 8,    /* MODE SENSE: page control and page in byte 2, subpage in byte 3 */
    WITH_SELECT = 16, /* REPORT LUNS: byte 2 */
    SHORT_RW = 32,    /* READ(6), WRITE(6): 21-bit LBA, a count of 0 means 256 */
    WITH_OPCODE = 64, /* REPORT SUPPORTED OPERATION CODES: options, opcode, action from byte 2 */
};

struct layout {
    uint8_t opcode;
    uint16_t service_action;
    const char *name;
    uint8_t len;
    uint8_t dir; /* enum iskra_cdb_dir */
    uint8_t with;
    struct place lba, blocks, alloc;
    uint8_t group_offset; /* 0: none */
    struct flag_place flags[FLAGS_MAX];
};

/* clang-format off */
#define NO_DATA       ISKRA_CDB_NO_DATA
#define IN            ISKRA_CDB_DATA_IN
#define OUT           ISKRA_CDB_DATA_OUT
#define FUA_DPO(byte) {ISKRA_CDB_FUA, byte, 0x08}, {ISKRA_CDB_DPO, byte, 0x10}
#define UNMAP_ANCHOR  {ISKRA_CDB_UNMAP, 1, 0x08}, {ISKRA_CDB_ANCHOR, 1, 0x10}
#define IMMED         {ISKRA_CDB_IMMED, 1, 0x02}
#define DBD           {ISKRA_CDB_DBD, 1, 0x08}

/* SPC-4 section 6, SBC-3 section 5. One row per command: name, length, direction, what else it has,
 * then the places of LBA, block count and byte count, the byte of the group number, the flags. */
static const struct layout layouts[] = {
    {0x00, 0, "TEST UNIT READY",       6,  NO_DATA, 0,            {0},     {0},     {0},     0,  {{0}}},
    {0x03, 0, "REQUEST SENSE",         6,  IN,      0,            {0},     {0},     {4, 1},  0,  {{ISKRA_CDB_DESC, 1, 0x01}}},
    {0x08, 0, "READ(6)",               6,  IN,      SHORT_RW,     {1, 3},  {4, 1},  {0},     0,  {{0}}},
    {0x0a, 0, "WRITE(6)",              6,  OUT,     SHORT_RW,     {1, 3},  {4, 1},  {0},     0,  {{0}}},
    {0x12, 0, "INQUIRY",               6,  IN,      WITH_PAGE,    {0},     {0},     {3, 2},  0,  {{ISKRA_CDB_EVPD, 1, 0x01}}},
    {0x1a, 0, "MODE SENSE(6)",         6,  IN,      WITH_MODE,    {0},     {0},     {4, 1},  0,  {DBD}},
    {0x25, 0, "READ CAPACITY(10)",     10, IN,      0,            {0},     {0},     {0},     0,  {{0}}},
    {0x28, 0, "READ(10)",              10, IN,      WITH_PROTECT, {2, 4},  {7, 2},  {0},     6,  {FUA_DPO(1)}},
    {0x2a, 0, "WRITE(10)",             10, OUT,     WITH_PROTECT, {2, 4},  {7, 2},  {0},     6,  {FUA_DPO(1)}},
    {0x35, 0, "SYNCHRONIZE CACHE(10)", 10, NO_DATA, 0,            {2, 4},  {7, 2},  {0},     6,  {IMMED}},
    {0x41, 0, "WRITE SAME(10)",        10, OUT,     WITH_PROTECT, {2, 4},  {7, 2},  {0},     6,  {UNMAP_ANCHOR}},
    {0x42, 0, "UNMAP",                 10, OUT,     0,            {0},     {0},     {7, 2},  6,  {{ISKRA_CDB_ANCHOR, 1, 0x01}}},
    {0x5a, 0, "MODE SENSE(10)",        10, IN,      WITH_MODE,    {0},     {0},     {7, 2},  0,  {DBD, {ISKRA_CDB_LLBAA, 1, 0x10}}},
    {0x7f, ISKRA_VARLEN_READ_32, "READ(32)",            32, IN,      WITH_PROTECT, {12, 8}, {28, 4}, {0},     6,  {FUA_DPO(10)}},
    {0x7f, ISKRA_VARLEN_WRITE_32, "WRITE(32)",            32, OUT,     WITH_PROTECT, {12, 8}, {28, 4}, {0},     6,  {FUA_DPO(10)}},
    {0x88, 0, "READ(16)",              16, IN,      WITH_PROTECT, {2, 8},  {10, 4}, {0},     14, {FUA_DPO(1)}},
    {0x89, 0, "COMPARE AND WRITE",     16, OUT,     WITH_PROTECT, {2, 8},  {13, 1}, {0},     14, {FUA_DPO(1)}},
    {0x8a, 0, "WRITE(16)",             16, OUT,     WITH_PROTECT, {2, 8},  {10, 4}, {0},     14, {FUA_DPO(1)}},
    {0x91, 0, "SYNCHRONIZE CACHE(16)", 16, NO_DATA, 0,            {2, 8},  {10, 4}, {0},     14, {IMMED}},
    {0x93, 0, "WRITE SAME(16)",        16, OUT,     WITH_PROTECT, {2, 8},  {10, 4}, {0},     14, {UNMAP_ANCHOR, {ISKRA_CDB_NDOB, 1, 0x01}}},
    {0x9e, ISKRA_SAI_READ_CAPACITY_16, "READ CAPACITY(16)",    16, IN,      WITH_SA,      {0},     {0},     {10, 4}, 0,  {{0}}},
    {0x9e, ISKRA_SAI_GET_LBA_STATUS, "GET LBA STATUS",       16, IN,      WITH_SA,      {2, 8},  {0},     {10, 4}, 0,  {{0}}},
    {0xa0, 0, "REPORT LUNS",           12, IN,      WITH_SELECT,  {0},     {0},     {6, 4},  0,  {{0}}},
    {0xa3, ISKRA_MI_REPORT_OPCODES, "REPORT SUPPORTED OPERATION CODES", 12, IN, WITH_SA | WITH_OPCODE, {0}, {0}, {6, 4}, 0, {{0}}},
    {0xa8, 0, "READ(12)",              12, IN,      WITH_PROTECT, {2, 4},  {6, 4},  {0},     10, {FUA_DPO(1)}},
    {0xaa, 0, "WRITE(12)",             12, OUT,     WITH_PROTECT, {2, 4},  {6, 4},  {0},     10, {FUA_DPO(1)}},
};
/* clang-format on */

static bool has_service_action(uint8_t opcode)
{
    return opcode == ISKRA_SCSI_SERVICE_ACTION_IN_16 || opcode == ISKRA_SCSI_MAINTENANCE_IN ||
           opcode == ISKRA_SCSI_VARIABLE_LENGTH;
}

static const struct layout *layout_find(uint8_t opcode, uint16_t service_action)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (layouts[i].opcode == opcode &&
            (!has_service_action(opcode) || layouts[i].service_action == service_action))
            return &layouts[i];
    return NULL;
}

static uint64_t place_get(const uint8_t *cdb, struct place place)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < place.width; i++)
        value = value << 8 | cdb[place.offset + i];
    return value;
}

/* false: the value does not fit (any value but 0 where there is no field). */
static bool place_put(uint8_t *cdb, struct place place, uint64_t value)
{
    for (unsigned i = place.width; i-- > 0; value >>= 8)
        cdb[place.offset + i] = (uint8_t)value;
    return value == 0;
}

static uint8_t protect_offset(const struct layout *l)
{
    return l->opcode == ISKRA_SCSI_VARIABLE_LENGTH ? 10 : 1;
}

static uint8_t control_offset(const struct layout *l)
{
    return l->opcode == ISKRA_SCSI_VARIABLE_LENGTH ? 1 : (uint8_t)(l->len - 1);
}

static void fields_get(const struct layout *l, const uint8_t *cdb, struct iskra_cdb *ret)
{
    for (unsigned i = 0; i < FLAGS_MAX; i++)
        if (l->flags[i].flag && (cdb[l->flags[i].offset] & l->flags[i].mask))
            ret->flags |= l->flags[i].flag;
    ret->lba = place_get(cdb, l->lba);
    ret->block_cnt = (uint32_t)place_get(cdb, l->blocks);
    ret->alloc_len = (uint32_t)place_get(cdb, l->alloc);
    ret->control = cdb[control_offset(l)];
    if (l->group_offset)
        ret->group = cdb[l->group_offset] & 0x1f;
    if (l->with & WITH_PROTECT)
        ret->protect = cdb[protect_offset(l)] >> 5;
    if (l->with & WITH_PAGE)
        ret->page = cdb[2];
    if (l->with & WITH_SELECT)
        ret->select = cdb[2];
    if (l->with & WITH_OPCODE) {
        ret->select = cdb[2];
        ret->asked_opcode = cdb[3];
        ret->asked_action = iskra_get_be16(cdb + 4);
    }
    if (l->with & WITH_MODE) {
        ret->page = cdb[2] & 0x3f;
        ret->page_control = cdb[2] >> 6;
        ret->subpage = cdb[3];
    }
    if (l->with & SHORT_RW) {
        ret->lba &= 0x1fffff;
        if (ret->block_cnt == 0)
            ret->block_cnt = 256;
    }
}

int iskra_cdb_decode(const uint8_t *cdb, size_t len, struct iskra_cdb *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (len == 0)
        return -EBADMSG;
    ret->opcode = cdb[0];
    if (cdb[0] == ISKRA_SCSI_VARIABLE_LENGTH) {
        if (len < 10)
            return -EBADMSG;
        ret->service_action = iskra_get_be16(cdb + 8);
    } else if (has_service_action(cdb[0])) {
        if (len < 2)
            return -EBADMSG;
        ret->service_action = cdb[1] & 0x1f;
    }
    const struct layout *l = layout_find(ret->opcode, ret->service_action);
    if (!l)
        return -ENOTSUP;
    if (len < l->len)
        return -EBADMSG;
    /* SPC-4 4.2.3: a variable-length command says itself how many bytes follow byte 7. */
    if (l->opcode == ISKRA_SCSI_VARIABLE_LENGTH && cdb[7] != l->len - 8)
        return -EBADMSG;
    fields_get(l, cdb, ret);
    return 0;
}

/* false: some value has no room in this command. */
static bool fields_put(const struct layout *l, const struct iskra_cdb *fields, uint8_t *cdb)
{
    uint32_t blocks = fields->block_cnt;
    uint64_t lba_max = UINT64_MAX;
    if (l->with & SHORT_RW) {
        lba_max = 0x1fffff;
        if (blocks == 0)
            return false; /* here 0 would mean 256 */
        if (blocks == 256)
            blocks = 0;
    }
    if (fields->lba > lba_max || !place_put(cdb, l->lba, fields->lba) ||
        !place_put(cdb, l->blocks, blocks) || !place_put(cdb, l->alloc, fields->alloc_len))
        return false;

    uint32_t left = fields->flags;
    for (unsigned i = 0; i < FLAGS_MAX; i++) {
        if (left & l->flags[i].flag)
            cdb[l->flags[i].offset] |= l->flags[i].mask;
        left &= ~l->flags[i].flag;
    }
    cdb[control_offset(l)] = fields->control;
    if (l->group_offset)
        cdb[l->group_offset] |= fields->group & 0x1f;
    if (l->with & WITH_PROTECT)
        cdb[protect_offset(l)] |= (uint8_t)(fields->protect << 5);
    if (l->with & WITH_SA)
        cdb[1] |= (uint8_t)(fields->service_action & 0x1f);
    if (l->with & WITH_PAGE)
        cdb[2] = fields->page;
    if (l->with & WITH_SELECT)
        cdb[2] = fields->select;
    if (l->with & WITH_OPCODE) {
        cdb[2] = fields->select;
        cdb[3] = fields->asked_opcode;
        iskra_put_be16(cdb + 4, fields->asked_action);
    }
    if (l->with & WITH_MODE) {
        cdb[2] = (uint8_t)(fields->page_control << 6 | (fields->page & 0x3f));
        cdb[3] = fields->subpage;
    }
    return left == 0;
}

unsigned iskra_cdb_encode(const struct iskra_cdb *fields, uint8_t *cdb, size_t size)
{
    const struct layout *l = layout_find(fields->opcode, fields->service_action);
    if (!l || size < l->len)
        return 0;
    memset(cdb, 0, size < ISKRA_CDB_LEN_MAX ? size : ISKRA_CDB_LEN_MAX);
    cdb[0] = l->opcode;
    if (l->opcode == ISKRA_SCSI_VARIABLE_LENGTH) {
        cdb[7] = (uint8_t)(l->len - 8);
        iskra_put_be16(cdb + 8, l->service_action);
    }
    return fields_put(l, fields, cdb) ? l->len : 0;
}

unsigned iskra_cdb_len(uint8_t opcode)
{
    static const uint8_t lens[8] = {6, 10, 10, 0, 16, 12, 0, 0};
    return lens[opcode >> 5];
}

enum iskra_cdb_dir iskra_cdb_dir(const struct iskra_cdb *fields)
{
    if (fields->flags & ISKRA_CDB_NDOB)
        return ISKRA_CDB_NO_DATA;
    const struct layout *l = layout_find(fields->opcode, fields->service_action);
    return l ? (enum iskra_cdb_dir)l->dir : ISKRA_CDB_NO_DATA;
}

const char *iskra_cdb_name(uint8_t opcode, uint16_t service_action)
{
    const struct layout *l = layout_find(opcode, service_action);
    if (l)
        return l->name;
    switch (opcode) { /* known by name only */
    case ISKRA_SCSI_START_STOP_UNIT:
        return "START STOP UNIT";
    case ISKRA_SCSI_PERSISTENT_RESERVE_IN:
        return "PERSISTENT RESERVE IN";
    case ISKRA_SCSI_PERSISTENT_RESERVE_OUT:
        return "PERSISTENT RESERVE OUT";
    case ISKRA_SCSI_EXTENDED_COPY:
        return "EXTENDED COPY";
    case ISKRA_SCSI_MAINTENANCE_IN:
        return "MAINTENANCE IN";
    default:
        return "?";
    }
}
