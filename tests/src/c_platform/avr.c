/* ATmega1284P in simavr: UART; sleeping with interrupts off ends the simulation. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdint.h>

void platform_put(const char *text)
{
    UCSR0B = 1 << TXEN0;
    while (*text != '\0') {
        while ((UCSR0A & (1 << UDRE0)) == 0) {
        }
        UDR0 = (uint8_t)*text;
        text++;
    }
}

uint32_t platform_ticks(void) { return 0; }

__attribute__((destructor)) static void finish(void)
{
    while ((UCSR0A & (1 << UDRE0)) == 0) {
    }
    cli();
    sleep_mode();
}
