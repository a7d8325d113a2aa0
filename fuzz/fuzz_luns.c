/* Fuzzer of REPORT LUNS data. A list that was read and is written again says the same LUNs. */
#include "input.h"
#include "wire/luns.h"

static void check_again(const struct iskra_luns *luns, size_t room)
{
    uint64_t *list = malloc(luns->cnt > 0 ? luns->cnt * sizeof(*list) : 1);
    uint8_t *buf = malloc(room > 0 ? room : 1);
    must(list && buf);
    for (uint32_t i = 0; i < luns->cnt; i++) {
        uint64_t lun = list[i] = iskra_luns_at(luns, i);
        uint32_t number;
        if (iskra_lun_decode(lun, &number) == 0)
            must(iskra_lun_encode(number, &lun) == 0);
    }
    struct iskra_luns again;
    size_t len = iskra_luns_encode(list, luns->cnt, buf, room);
    must(len <= room);
    if (len > 0) {
        must(iskra_luns_decode(buf, len, &again) == 0 && again.stated_cnt == luns->cnt);
        for (uint32_t i = 0; i < again.cnt; i++)
            must(iskra_luns_at(&again, i) == list[i]);
    }
    free(buf);
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t room = input_u8(&in);
    uint64_t lun;
    (void)iskra_lun_encode((uint32_t)input_u16(&in) << 10 | input_u8(&in), &lun);
    size_t len = in.left;
    uint8_t *bytes = input_take(&in, len);
    struct iskra_luns luns;
    if (iskra_luns_decode(bytes, len, &luns) == 0)
        check_again(&luns, room);
    free(bytes);
    return 0;
}
