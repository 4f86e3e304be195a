
/*
 * Kernels by intrinsics where the core has Helium or the DSP extension, else portable C. All give the
 * same sums. {{NAME}}_PORTABLE chooses portable C everywhere.
 */
#if defined(__ARM_FEATURE_DSP) && (__ARM_FEATURE_DSP == 1) && defined(__thumb2__) \
    && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN) && !defined({{NAME}}_PORTABLE)
#define {{NAME}}_DSP 1
#include <arm_acle.h>
#endif
#if defined(__ARM_FEATURE_MVE) && ((__ARM_FEATURE_MVE & 1) != 0) && !defined({{NAME}}_PORTABLE)
#define {{NAME}}_MVE 1
#include <arm_mve.h>
#endif

/* Rows whose sums a core keeps in registers at once. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define {{NAME}}_ROWS 2u
#else
#define {{NAME}}_ROWS 4u
#endif
