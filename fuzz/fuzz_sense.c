/* Fuzzer of sense data: the data segment of a SCSI Response, and the sense in it. What was decoded
 * must survive being written and read again. */
#include "input.h"
#include "wire/sense.h"

static void check_again(const struct iskra_sense *s)
{
    struct iskra_sense again;
    uint8_t *fixed = malloc(ISKRA_SENSE_FIXED_LEN);
    uint8_t *desc = malloc(ISKRA_SENSE_DESCRIPTOR_LEN_MAX);
    must(fixed && desc);
    unsigned len = iskra_sense_encode_fixed(s, fixed);
    must(iskra_sense_decode(fixed, len, &again) == 0);
    must(again.key == s->key && again.asc == s->asc && again.ascq == s->ascq);
    len = iskra_sense_encode_descriptor(s, desc);
    must(len <= ISKRA_SENSE_DESCRIPTOR_LEN_MAX && iskra_sense_decode(desc, len, &again) == 0);
    must(again.key == s->key && again.deferred == s->deferred &&
         again.information_valid == s->information_valid && again.information == s->information);
    free(desc);
    free(fixed);
    must(iskra_asc_name(s->asc, s->ascq) != NULL);
}

static void run(const uint8_t *bytes, size_t len)
{
    struct iskra_sense s;
    if (iskra_sense_decode(bytes, len, &s) == 0)
        check_again(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    bool segment = input_u8(&in) & 1;
    size_t len = in.left;
    uint8_t *bytes = input_take(&in, len);
    const uint8_t *sense = bytes;
    size_t sense_len = len;
    if (!segment)
        run(bytes, len);
    else if (iskra_sense_segment(bytes, len, &sense, &sense_len) == 0)
        run(sense, sense_len);
    free(bytes);
    return 0;
}
