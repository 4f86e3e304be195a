/* QEMU's RISC-V machine virt: start-up, UART, exit, counter of instructions. */
#include <stddef.h>
#include <stdint.h>

int main(void);
void trap(void);
void start(void);

__asm__(".section .init, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        " la sp, stack_start\n"
        " la t0, trap\n"
        " csrw mtvec, t0\n"
        " call start\n");

void platform_put(const char *text)
{
    while (*text != '\0') {
        *(volatile uint8_t *)0x10000000u = (uint8_t)*text;
        text++;
    }
}

void start(void)
{
    (void)main();
    *(volatile uint32_t *)0x100000u = 0x5555;
    for (;;) {
    }
}

__attribute__((aligned(4))) void trap(void)
{
    platform_put("fault\n");
    *(volatile uint32_t *)0x100000u = 0x3333;
    for (;;) {
    }
}

uint32_t platform_ticks(void)
{
    uint32_t instructions;
    __asm__ volatile("csrr %0, mcycle" : "=r"(instructions));
    return instructions;
}

void *memcpy(void *to, const void *from, size_t len)
{
    size_t k;
    for (k = 0; k < len; k++) {
        ((volatile uint8_t *)to)[k] = ((const uint8_t *)from)[k];
    }
    return to;
}

void *memset(void *to, int value, size_t len)
{
    size_t k;
    for (k = 0; k < len; k++) {
        ((volatile uint8_t *)to)[k] = (uint8_t)value;
    }
    return to;
}
