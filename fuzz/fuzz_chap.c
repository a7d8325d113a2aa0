/* Fuzzer of binary values of text keys, which CHAP's challenges and responses are. The initiator's
 * reader and the target's were written apart: what the stricter one (the target's) reads, the other
 * reads as the same, and what the target writes says the same again. */
#include "control/chap.h"
#include "input.h"
#include "target/binary.h"

static size_t room_pick(uint8_t bits)
{
    static const size_t rooms[] = {1, 16, 20, 32, 33, 64, 1023, TARGET_BINARY_MAX};
    return rooms[bits % 8];
}

static void read_both(struct iskra_slice value, size_t room)
{
    uint8_t *ours = malloc(room), *theirs = malloc(room);
    must(ours && theirs);
    int len = iskra_chap_decode(value, ours, room);
    must(len < 0 || (len > 0 && (size_t)len <= room));
    int their_len = target_binary_decode(value, theirs, (uint32_t)room);
    must(their_len < 0 || (their_len == len && memcmp(ours, theirs, (size_t)len) == 0));
    free(theirs);
    free(ours);
}

static void write_and_read(const uint8_t *bytes, size_t len, enum target_binary_form form)
{
    char text[TARGET_BINARY_TEXT_MAX];
    uint8_t *again = malloc(len);
    must(again != NULL);
    struct iskra_slice value = target_binary_encode(bytes, (uint32_t)len, form, text);
    must(value.len <= sizeof(text) && iskra_chap_decode(value, again, len) == (int)len);
    must(memcmp(again, bytes, len) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t bits = input_u8(&in);
    size_t len = in.left;
    uint8_t *bytes = input_take(&in, len);
    read_both((struct iskra_slice){(const char *)bytes, len}, room_pick(bits));
    if (len > 0 && len <= TARGET_BINARY_MAX)
        write_and_read(bytes, len, (enum target_binary_form)(bits >> 3 & 3) % 3);
    free(bytes);
    return 0;
}
