/* The static library on a core: a model in flash, errors, and updates of a flash that is RAM. */
#include "thimble.h"

#include <stddef.h>
#include <stdint.h>

void platform_put(const char *text);

__attribute__((aligned(4))) static const uint8_t first[] = {
#include "first.inc"
};
__attribute__((aligned(4))) static const uint8_t second[] = {
#include "second.inc"
};
static const uint8_t input[] = {
#include "input.inc"
};

#define OUTPUTS 10u
#define SCRATCH 512u
#define FLASH 32768u

static uint32_t scratch[SCRATCH];
static uint32_t test_scratch[SCRATCH];
static union {
    uint32_t alignment;
    uint8_t bytes[FLASH];
} flash_memory;
static thimble_engine_t engine;
static thimble_slots_t slots;

/* What the library needs of a C library, beside memcpy and memset. */
int memcmp(const void *a, const void *b, size_t len);
float fminf(float a, float b);
float fmaxf(float a, float b);

int memcmp(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *one = a;
    const volatile uint8_t *other = b;
    while (len > 0u) {
        if (*one != *other) {
            return (*one < *other) ? -1 : 1;
        }
        one++;
        other++;
        len--;
    }
    return 0;
}

float fminf(float a, float b) { return (a < b) ? a : b; }
float fmaxf(float a, float b) { return (a > b) ? a : b; }

#if defined(__arm__)
void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);
/* Names that the calling convention of Arm gives them. */
#define COPY(name) \
    void name(void *to, const void *from, size_t len); \
    void name(void *to, const void *from, size_t len) { (void)memcpy(to, from, len); }
#define SET(name) \
    void name(void *to, size_t len, int value); \
    void name(void *to, size_t len, int value) { (void)memset(to, value, len); }
#define CLEAR(name) \
    void name(void *to, size_t len); \
    void name(void *to, size_t len) { (void)memset(to, 0, len); }
COPY(__aeabi_memcpy)
COPY(__aeabi_memcpy4)
COPY(__aeabi_memcpy8)
SET(__aeabi_memset)
SET(__aeabi_memset4)
SET(__aeabi_memset8)
CLEAR(__aeabi_memclr)
CLEAR(__aeabi_memclr4)
CLEAR(__aeabi_memclr8)
#endif

static void put_number(int32_t value)
{
    char text[12];
    char *at = &text[11];
    uint32_t left = (value < 0) ? (uint32_t)-value : (uint32_t)value;
    *at = '\0';
    do {
        at--;
        *at = (char)('0' + (char)(left % 10u));
        left /= 10u;
    } while (left > 0u);
    if (value < 0) {
        platform_put("-");
    }
    platform_put(at);
    platform_put(" ");
}

static int erase(void *context, uint32_t from, uint32_t to)
{
    uint8_t *bytes = context;
    for (; from < to; from++) {
        bytes[from] = 0xff;
    }
    return 0;
}

static int program(void *context, uint32_t offset, const uint8_t *bytes, size_t count)
{
    uint8_t *flash = context;
    size_t k;
    for (k = 0; k < count; k++) {
        flash[offset + k] &= bytes[k];
    }
    return 0;
}

/* Runs the input; prints the status, the outputs, and the class with its label. */
static void run(void)
{
    int8_t output[OUTPUTS];
    char label[8];
    size_t index = 99;
    size_t k;
    put_number((int32_t)thimble_run(&engine, input, sizeof input, output, OUTPUTS));
    for (k = 0; k < OUTPUTS; k++) {
        put_number(output[k]);
    }
    put_number((int32_t)thimble_class(&engine, output, OUTPUTS, &index));
    put_number((int32_t)thimble_label(&engine, index, label, sizeof label));
    platform_put(label);
    platform_put("\n");
}

static void errors(void)
{
    static const int16_t counts[1] = { 0 };
    int8_t output[OUTPUTS];
    char label[2];
    put_number((int32_t)thimble_run(&engine, input, sizeof input - 1u, output, OUTPUTS));
    put_number((int32_t)thimble_run(&engine, input, sizeof input, output, OUTPUTS + 1u));
    put_number((int32_t)thimble_run(&engine, NULL, sizeof input, output, OUTPUTS));
    put_number((int32_t)thimble_run(NULL, input, sizeof input, output, OUTPUTS));
    put_number((int32_t)thimble_run_counts(&engine, counts, 1, output, OUTPUTS, NULL));
    put_number((int32_t)thimble_label(&engine, 10, label, sizeof label));
    put_number((int32_t)thimble_init(&engine, first, sizeof first - 1u, scratch, sizeof scratch));
    put_number((int32_t)thimble_init(&engine, first, sizeof first, scratch, 8));
    (void)erase(flash_memory.bytes, 0, FLASH);
    (void)program(flash_memory.bytes, 1, first, sizeof first);
    put_number((int32_t)thimble_init(&engine, &flash_memory.bytes[1], sizeof first, scratch,
        sizeof scratch));
    platform_put(thimble_status_text(THIMBLE_SCRATCH));
    platform_put("\n");
}

/* Begins, writes and finishes an update with the second model. */
static void update(void)
{
    uint32_t offset;
    put_number((int32_t)thimble_update_write(&slots, 0, second, 32));
    put_number((int32_t)thimble_update_begin(&slots, FLASH));
    put_number((int32_t)thimble_update_begin(&slots, sizeof second));
    put_number((int32_t)thimble_update_write(&slots, 32, second, 32));
    put_number((int32_t)thimble_update_write(&slots, 0, second, 31));
    for (offset = 0; offset < sizeof second; offset += 256u) {
        const size_t left = sizeof second - offset;
        const thimble_status_t status =
            thimble_update_write(&slots, offset, &second[offset], (left < 256u) ? left : 256u);
        if (status != THIMBLE_OK) {
            put_number((int32_t)status);
        }
    }
    put_number((int32_t)thimble_update_finish(&slots, test_scratch, sizeof test_scratch));
    platform_put("\n");
}

static void start(bool hung)
{
    int32_t slot = 99;
    put_number((int32_t)thimble_slots_start(&slots, hung, &engine, first, sizeof first, scratch,
        sizeof scratch, &slot));
    put_number(slot);
    platform_put("\n");
}

int main(void)
{
    const thimble_flash_t flash = { flash_memory.bytes, flash_memory.bytes, FLASH, erase, program };
    size_t bytes = 0;
    size_t inputs = 0;
    put_number((int32_t)thimble_run(&engine, input, sizeof input, scratch, OUTPUTS));
    put_number((int32_t)thimble_scratch_bytes(first, sizeof first, &bytes));
    put_number((int32_t)thimble_init(&engine, first, sizeof first, scratch, bytes));
    put_number((int32_t)thimble_shape(&engine, &inputs, NULL, NULL, NULL));
    put_number((int32_t)inputs);
    put_number((int32_t)thimble_self_test(&engine));
    platform_put("\n");
    run();
    errors();
    (void)erase(flash_memory.bytes, 0, FLASH);
    put_number((int32_t)thimble_slots_init(&slots, &flash));
    start(false);
    update();
    run();
    start(false);
    run();
    put_number((int32_t)thimble_roll_back(&slots));
    start(false);
    run();
    return 0;
}
