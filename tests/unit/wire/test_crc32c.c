/* CRC32C against the vectors of RFC 7143 appendix A.4, as the bytes that go on the wire. */
#include "wire_test.h"

#include "wire/crc32c.h"

static void check_digest(const uint8_t *bytes, size_t len, const char *wire_hex)
{
    uint8_t golden[4], got[4];
    hex_bytes(wire_hex, golden, sizeof(golden));
    iskra_crc32c_put(got, iskra_crc32c_finish(iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, len)));
    assert_memory_equal(got, golden, sizeof(golden));
}

static void zeros_give_the_rfc_value(void **state)
{
    const uint8_t bytes[32] = {0};
    check_digest(bytes, sizeof(bytes), "aa 36 91 8a");
}

static void ones_give_the_rfc_value(void **state)
{
    uint8_t bytes[32];
    memset(bytes, 0xff, sizeof(bytes));
    check_digest(bytes, sizeof(bytes), "43 ab a8 62");
}

static void incrementing_bytes_give_the_rfc_value(void **state)
{
    uint8_t bytes[32];
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    check_digest(bytes, sizeof(bytes), "4e 79 dd 46");
}

static void decrementing_bytes_give_the_rfc_value(void **state)
{
    uint8_t bytes[32];
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    check_digest(bytes, sizeof(bytes), "5c db 3f 11");
}

static void a_read_command_gives_the_rfc_value(void **state)
{
    uint8_t bhs[48];
    hex_bytes("01 c0 00 00 00 00 00 00 00 00 00 00 00 00 00 00 14 00 00 00 00 00 04 00"
              "00 00 00 14 00 00 00 18 28 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00",
              bhs, sizeof(bhs));
    check_digest(bhs, sizeof(bhs), "56 3a 96 d9");
}

static void pieces_give_the_same_value_as_the_whole(void **state)
{
    uint8_t bytes[97];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    uint32_t whole = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, cut);
        crc = iskra_crc32c_update(crc, bytes + cut, sizeof(bytes) - cut);
        assert_int_equal(crc, whole);
    }
}

static void nothing_leaves_the_value_alone(void **state)
{
    assert_int_equal(iskra_crc32c_update(0x12345678, NULL, 0), 0x12345678);
}

static void put_and_get_are_least_significant_byte_first(void **state)
{
    uint8_t bytes[4];
    iskra_crc32c_put(bytes, 0x04030201);
    assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
    assert_int_equal(iskra_crc32c_get(bytes), 0x04030201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_give_the_rfc_value),
        cmocka_unit_test(ones_give_the_rfc_value),
        cmocka_unit_test(incrementing_bytes_give_the_rfc_value),
        cmocka_unit_test(decrementing_bytes_give_the_rfc_value),
        cmocka_unit_test(a_read_command_gives_the_rfc_value),
        cmocka_unit_test(pieces_give_the_same_value_as_the_whole),
        cmocka_unit_test(nothing_leaves_the_value_alone),
        cmocka_unit_test(put_and_get_are_least_significant_byte_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
