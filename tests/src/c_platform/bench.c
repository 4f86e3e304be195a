/* Ticks of an inference, over rows of random inputs, and bytes of the deepest stack. */
#include "net.h"

#include <stddef.h>
#include <stdint.h>

#define ROWS 8u
#define STACK 4096u

void platform_put(const char *text);
uint32_t platform_ticks(void);

static const uint8_t rows[] = {
#include "rows.inc"
};

static net_scratch_t scratch;
static net_output_t output[NET_OUTPUTS];

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
    platform_put(" ");
}

__attribute__((noinline)) static void run(uint32_t row)
{
    net_run((const net_input_t *)(const void *)&rows[row * NET_INPUTS], output, &scratch);
}

__attribute__((noinline)) static uint32_t stack_of_run(void)
{
    volatile uint8_t *const top = (volatile uint8_t *)__builtin_frame_address(0) - 64;
    uint32_t k;
    for (k = 1; k <= STACK; k++) {
        *(top - k) = 0xa5;
    }
    run(0);
    for (k = STACK; k > 0u; k--) {
        if (*(top - k) != 0xa5u) {
            break;
        }
    }
    return k + 64u;
}

int main(void)
{
    uint32_t row;
    const uint32_t before = platform_ticks();
    uint32_t after;
    for (row = 0; row < ROWS; row++) {
        run(row);
    }
    after = platform_ticks();
    /* SysTick has 24 bits. */
    put_number((after - before) & 0xffffffu);
    put_number(stack_of_run());
    platform_put("\n");
    return 0;
}
