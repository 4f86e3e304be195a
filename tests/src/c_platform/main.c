/* Runs every record of the vectors and compares all that the engine gives for it. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define VECTORS_FLASH PROGMEM
#define VECTORS_READ(p) pgm_read_byte(p)
#else
#define VECTORS_FLASH
#define VECTORS_READ(p) (*(p))
#endif

static const uint8_t vectors[] VECTORS_FLASH = {
#include "vectors.inc"
};

static const uint8_t *cursor = vectors;

static uint32_t take(uint8_t bytes)
{
    uint32_t value = 0;
    uint8_t k;
    for (k = 0; k < bytes; k++) {
        value |= (uint32_t)VECTORS_READ(cursor) << (8u * k);
        cursor++;
    }
    return value;
}

static void put_number(uint32_t value)
{
    char text[12];
    char *at = &text[11];
    *at = '\0';
    do {
        at--;
        *at = (char)('0' + (char)(value % 10u));
        value /= 10u;
    } while (value > 0u);
    platform_put(at);
}

static uint8_t differs(const char *what, uint32_t expected, uint32_t actual, uint32_t record)
{
    if (expected == actual) {
        return 0;
    }
    platform_put("record ");
    put_number(record);
    platform_put(", ");
    platform_put(what);
    platform_put(": expected ");
    put_number(expected);
    platform_put(", got ");
    put_number(actual);
    platform_put("\n");
    return 1;
}

int main(void)
{
    const uint32_t records = take(4);
    uint32_t record;
    uint32_t wrong = 0;
    for (record = 0; record < records; record++) {
        const uint16_t model = (uint16_t)take(2);
        const uint8_t kind = (uint8_t)take(1);
        const uint32_t status = take(1);
        const uint32_t saturated = take(2);
        const uint32_t class_index = take(2);
        const uint32_t real = take(4);
        const uint16_t input_bytes = (uint16_t)take(2);
        const uint16_t output_bytes = (uint16_t)take(2);
        answer_t answer = { 0, 0, 0, 0 };
        uint16_t k;
        for (k = 0; k < input_bytes; k++) {
            input.bytes[k] = (uint8_t)take(1);
        }
        for (k = 0; k < output_bytes; k++) {
            output.bytes[k] = 0x55;
        }
        answer.status = run(model, kind, &answer);
        wrong += differs("status", status, answer.status, record);
        for (k = 0; k < output_bytes; k++) {
            const uint8_t expected = (uint8_t)take(1);
            if (status == 0u) {
                wrong += differs("output", expected, output.bytes[k], record);
            }
        }
        if (status == 0u) {
            wrong += differs("saturated", saturated, answer.saturated, record);
            wrong += differs("class", class_index, answer.class_index, record);
            wrong += differs("real value", real, answer.real, record);
        }
        if (wrong > 20u) {
            break;
        }
    }
    put_number(wrong);
    platform_put(" wrong of ");
    put_number(record);
    platform_put(" records\n");
    return (wrong == 0u) ? 0 : 1;
}
