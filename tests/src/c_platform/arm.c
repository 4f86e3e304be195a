/* Cortex-M in QEMU: start-up, text and exit by semihosting, SysTick. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t stack_start;
int main(void);

static void semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void platform_put(const char *text) { semihosting(0x04, text); }

static void finish(uint32_t reason)
{
    semihosting(0x18, (const void *)(uintptr_t)reason);
    for (;;) {
    }
}

static void reset(void)
{
#if !defined(__ARM_ARCH_6M__)
    /* Floating-point and vector instructions. */
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\n isb");
#endif
    /* SysTick counts the core's clock down from its largest value. */
    *(volatile uint32_t *)0xe000e014u = 0xffffffu;
    *(volatile uint32_t *)0xe000e018u = 0;
    *(volatile uint32_t *)0xe000e010u = 5;
    (void)main();
    finish(0x20026);
}

static void fault(void)
{
    platform_put("fault\n");
    finish(0x20023);
}

typedef union {
    void (*handler)(void);
    const void *stack;
} vector_t;

__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    { .stack = &stack_start }, { reset }, { fault }, { fault }, { fault }, { fault }, { fault },
    { fault }, { fault }, { fault }, { fault }, { fault }, { fault }, { fault }, { fault }, { fault },
};

uint32_t platform_ticks(void) { return 0xffffffu - *(volatile uint32_t *)0xe000e018u; }

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
