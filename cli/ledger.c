/* What should be where; see ledger.h. */
#include "ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_CNT (CLI_LEDGER_SECTOR_LEN / 8)
#define STEP     UINT64_C(0x9e3779b97f4a7c15) /* odd, so that the words of a sector all differ */

/* The words of a sector, in this machine's order: nobody else reads them. */
enum word {
    WORD_RUN,
    WORD_OFFSET,
    WORD_GENERATION,
    WORD_CHECK,
    WORD_REST,
};

/* The finalizer of SplitMix64: each bit of the result depends on all of x. */
static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t check_of(uint64_t run, uint64_t offset, uint64_t generation)
{
    return mixed(mixed(mixed(run + STEP) ^ offset) + generation);
}

static void sector_make(uint64_t words[WORD_CNT], uint64_t run, uint64_t offset,
                        uint64_t generation)
{
    uint64_t check = check_of(run, offset, generation);
    words[WORD_RUN] = run;
    words[WORD_OFFSET] = offset;
    words[WORD_GENERATION] = generation;
    words[WORD_CHECK] = check;
    for (unsigned i = WORD_REST; i < WORD_CNT; i++)
        words[i] = check + i * STEP;
}

int cli_ledger_init(struct cli_ledger *ledger, uint64_t block_cnt, uint64_t block_len, uint64_t run)
{
    *ledger = (struct cli_ledger){.block_cnt = block_cnt, .block_len = block_len, .run = run};
    ledger->blocks = block_cnt <= SIZE_MAX / sizeof(*ledger->blocks)
                         ? calloc((size_t)block_cnt, sizeof(*ledger->blocks))
                         : NULL;
    return ledger->blocks ? 0 : -ENOMEM;
}

void cli_ledger_done(struct cli_ledger *ledger)
{
    free(ledger->blocks);
    ledger->blocks = NULL;
}

bool cli_ledger_is_free(const struct cli_ledger *ledger, uint64_t block, bool to_write)
{
    const struct cli_ledger_block *b = &ledger->blocks[block];
    return !b->writing && !(to_write && b->reader_cnt > 0);
}

bool cli_ledger_is_checked(const struct cli_ledger *ledger, uint64_t block)
{
    return ledger->blocks[block].checked || ledger->blocks[block].generation == 0;
}

void cli_ledger_claim(struct cli_ledger *ledger, uint64_t block)
{
    ledger->blocks[block].writing = true;
}

void cli_ledger_release(struct cli_ledger *ledger, uint64_t block)
{
    ledger->blocks[block].writing = false;
}

void cli_ledger_write_begin(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt,
                            void *buf)
{
    unsigned char *at = buf;
    for (uint64_t i = block; i < block + block_cnt; i++) {
        ledger->blocks[i].writing = true;
        for (uint64_t n = 0; n < ledger->block_len; n += CLI_LEDGER_SECTOR_LEN) {
            uint64_t words[WORD_CNT];
            sector_make(words, ledger->run, i * ledger->block_len + n,
                        (uint64_t)ledger->blocks[i].generation + 1);
            memcpy(at, words, sizeof(words));
            at += sizeof(words);
        }
    }
}

void cli_ledger_write_end(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt,
                          bool written)
{
    if (!written)
        return;
    for (uint64_t i = block; i < block + block_cnt; i++) {
        struct cli_ledger_block *b = &ledger->blocks[i];
        *b = (struct cli_ledger_block){.generation = b->generation + 1};
    }
}

void cli_ledger_read_begin(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt)
{
    for (uint64_t i = block; i < block + block_cnt; i++)
        ledger->blocks[i].reader_cnt++;
}

void cli_ledger_read_end(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt)
{
    for (uint64_t i = block; i < block + block_cnt; i++)
        ledger->blocks[i].reader_cnt--;
}

static void difference_judge(const struct cli_ledger *ledger, const uint64_t words[WORD_CNT],
                             uint64_t offset, uint64_t expected, struct cli_ledger_difference *ret)
{
    uint64_t run = words[WORD_RUN], place = words[WORD_OFFSET], found = words[WORD_GENERATION];
    enum cli_ledger_finding finding = run != ledger->run  ? CLI_LEDGER_OTHER_RUN
                                      : place != offset   ? CLI_LEDGER_OTHER_PLACE
                                      : found != expected ? CLI_LEDGER_GENERATION
                                                          : CLI_LEDGER_SPOILT;
    if (words[WORD_CHECK] != check_of(run, place, found))
        finding = CLI_LEDGER_FOREIGN;
    *ret = (struct cli_ledger_difference){
        .finding = finding,
        .offset = offset,
        .expected_generation = expected,
        .found_generation = finding == CLI_LEDGER_FOREIGN ? 0 : found,
        .found_offset = finding == CLI_LEDGER_FOREIGN ? 0 : place,
    };
}

bool cli_ledger_check(struct cli_ledger *ledger, uint64_t block, const void *buf,
                      struct cli_ledger_difference *ret)
{
    struct cli_ledger_block *b = &ledger->blocks[block];
    const unsigned char *at = buf;
    b->checked = true;
    if (b->generation == 0 || b->told)
        return true;
    for (uint64_t n = 0; n < ledger->block_len; n += CLI_LEDGER_SECTOR_LEN) {
        uint64_t offset = block * ledger->block_len + n, wanted[WORD_CNT], found[WORD_CNT];
        sector_make(wanted, ledger->run, offset, b->generation);
        if (memcmp(at + n, wanted, sizeof(wanted)) == 0)
            continue;
        memcpy(found, at + n, sizeof(found));
        difference_judge(ledger, found, offset, b->generation, ret);
        b->told = true;
        return false;
    }
    return true;
}

char *cli_ledger_difference_format(const struct cli_ledger_difference *difference, char *buf)
{
    unsigned long long found = difference->found_generation, place = difference->found_offset;
    int len = snprintf(buf, CLI_LEDGER_TEXT_LEN, "expected generation %llu, found ",
                       (unsigned long long)difference->expected_generation);
    char *at = buf + len;
    size_t left = CLI_LEDGER_TEXT_LEN - (size_t)len;
    switch (difference->finding) {
    case CLI_LEDGER_FOREIGN:
        snprintf(at, left, "what bench has not written");
        break;
    case CLI_LEDGER_OTHER_RUN:
        snprintf(at, left, "generation %llu of another run", found);
        break;
    case CLI_LEDGER_OTHER_PLACE:
        snprintf(at, left, "generation %llu of offset %llu", found, place);
        break;
    case CLI_LEDGER_GENERATION:
        snprintf(at, left, "generation %llu", found);
        break;
    case CLI_LEDGER_SPOILT:
        snprintf(at, left, "its stamp with other bytes behind it");
        break;
    }
    return buf;
}
