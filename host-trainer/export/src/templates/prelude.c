/*
 * {{title}}
 *
 * Written by host-trainer export c. See {{name}}.h.
 */
#include "{{name}}.h"

/* Constants lie in program memory, which AVR reads by instructions of its own. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define {{NAME}}_FLASH PROGMEM
#define {{NAME}}_LAYER const
#define {{NAME}}_U8(p) ((uint8_t)pgm_read_byte(p))
#define {{NAME}}_I8(p) ((int8_t)pgm_read_byte(p))
#define {{NAME}}_I16(p) ((int16_t)pgm_read_word(p))
#define {{NAME}}_U16(p) ((uint16_t)pgm_read_word(p))
#define {{NAME}}_I32(p) ((int32_t)pgm_read_dword(p))
#define {{NAME}}_F32(p) pgm_read_float(p)
#define {{NAME}}_TEXT(p) ((const char *)pgm_read_ptr(p))
#else
#define {{NAME}}_FLASH
#define {{NAME}}_LAYER static const
#define {{NAME}}_U8(p) (*(p))
#define {{NAME}}_I8(p) (*(p))
#define {{NAME}}_I16(p) (*(p))
#define {{NAME}}_U16(p) (*(p))
#define {{NAME}}_I32(p) (*(p))
#define {{NAME}}_F32(p) (*(p))
#define {{NAME}}_TEXT(p) (*(p))
#endif

/* Words are read faster where they are aligned, and kernels keep more in registers alone. */
#if defined(__GNUC__)
#define {{NAME}}_ALIGNED __attribute__((aligned(4)))
#define {{NAME}}_KERNEL __attribute__((noinline))
#else
#define {{NAME}}_ALIGNED
#define {{NAME}}_KERNEL
#endif

/* Right shifts of negative numbers are arithmetic on every compiler for these cores. */
typedef char {{name}}_needs_arithmetic_shifts[((-1) >> 1) == (-1) ? 1 : -1];
