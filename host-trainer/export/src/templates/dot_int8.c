
#if defined({{NAME}}_MVE)

/* Adds up the products of a row of weights with int8 inputs. */
static int32_t {{name}}_dot1_int8(const int8_t *weights, const int8_t *x, size_t n)
{
    int32_t sum = 0;
    size_t left = n;
    while (left > 0u) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        sum = vmladavaq_p_s8(sum, vldrbq_z_s8(x, lanes), vldrbq_z_s8(weights, lanes), lanes);
        x = &x[16];
        weights = &weights[16];
        left = (left > 16u) ? (left - 16u) : 0u;
    }
    return sum;
}

/* Sixteen columns of four rows. */
#define {{NAME}}_BLOCK \
    " vldrb.8 q0, [%[x]], #16\n" \
    " vldrb.8 q1, [%[w0]], #16\n" \
    " vmladava.s8 %[s0], q0, q1\n" \
    " vldrb.8 q2, [%[w1]], #16\n" \
    " vmladava.s8 %[s1], q0, q2\n" \
    " vldrb.8 q3, [%[w2]], #16\n" \
    " vmladava.s8 %[s2], q0, q3\n" \
    " vldrb.8 q4, [%[w3]], #16\n" \
    " vmladava.s8 %[s3], q0, q4\n"

/* Adds up the products of a group of rows with int8 inputs. */
static void {{name}}_dot_int8(const int8_t *weights, size_t stride, const int8_t *x, size_t n,
    int32_t sums[4])
{
    const int8_t *w0 = weights;
    const int8_t *w1 = &w0[stride];
    const int8_t *w2 = &w1[stride];
    const int8_t *w3 = &w2[stride];
    int32_t s0 = 0;
    int32_t s1 = 0;
    int32_t s2 = 0;
    int32_t s3 = 0;
    size_t left = n;
#if defined(__GNUC__)
    if (left >= 64u) {
        __asm__ volatile(
            " dls lr, %[blocks]\n"
            "2:\n"
            {{NAME}}_BLOCK {{NAME}}_BLOCK {{NAME}}_BLOCK {{NAME}}_BLOCK
            " le lr, 2b\n"
            : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3),
              [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3)
            : [blocks] "r"(left / 64u)
            : "q0", "q1", "q2", "q3", "q4", "memory", "lr");
        left %= 64u;
    }
    while (left >= 16u) {
        __asm__ volatile({{NAME}}_BLOCK
            : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3),
              [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3)
            :
            : "q0", "q1", "q2", "q3", "q4", "memory");
        left -= 16u;
    }
#endif
    while (left > 0u) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        const int8x16_t vx = vldrbq_z_s8(x, lanes);
        s0 = vmladavaq_p_s8(s0, vx, vldrbq_z_s8(w0, lanes), lanes);
        s1 = vmladavaq_p_s8(s1, vx, vldrbq_z_s8(w1, lanes), lanes);
        s2 = vmladavaq_p_s8(s2, vx, vldrbq_z_s8(w2, lanes), lanes);
        s3 = vmladavaq_p_s8(s3, vx, vldrbq_z_s8(w3, lanes), lanes);
        x = &x[16];
        w0 = &w0[16];
        w1 = &w1[16];
        w2 = &w2[16];
        w3 = &w3[16];
        left = (left > 16u) ? (left - 16u) : 0u;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#else

/* Adds up the products of a row of weights with int8 inputs. */
static int32_t {{name}}_dot1_int8(const int8_t *weights, const int8_t *x, size_t n)
{
    int32_t sum = 0;
    size_t k;
    for (k = 0; k < n; k++) {
        sum += (int32_t)({{NAME}}_I8(&weights[k]) * x[k]);
    }
    return sum;
}

#if defined({{NAME}}_DSP)

{{NAME}}_KERNEL static void {{name}}_dot_int8(const int8_t *weights, size_t stride, const int8_t *x, size_t n,
    int32_t sums[4])
{
    /* Rows 0 and 2; the others lie a stride behind them. */
    const int8_t *w0 = weights;
    const int8_t *w2 = &w0[2u * stride];
    int32_t s0 = 0;
    int32_t s1 = 0;
    int32_t s2 = 0;
    int32_t s3 = 0;
    const int8_t *const end = &x[n & ~(size_t)3];
    size_t k;
    while (x != end) {
        const uint32_t four = {{name}}_word(x);
        const int16x2_t even = __sxtb16((int8x4_t)four);
        const int16x2_t odd = {{name}}_odd(four);
        uint32_t w = {{name}}_word(&w0[stride]);
        s1 = __smlad(__sxtb16((int8x4_t)w), even, s1);
        s1 = __smlad({{name}}_odd(w), odd, s1);
        w = {{name}}_word(w0);
        s0 = __smlad(__sxtb16((int8x4_t)w), even, s0);
        s0 = __smlad({{name}}_odd(w), odd, s0);
        w = {{name}}_word(&w2[stride]);
        s3 = __smlad(__sxtb16((int8x4_t)w), even, s3);
        s3 = __smlad({{name}}_odd(w), odd, s3);
        w = {{name}}_word(w2);
        s2 = __smlad(__sxtb16((int8x4_t)w), even, s2);
        s2 = __smlad({{name}}_odd(w), odd, s2);
        x = &x[4];
        w0 = &w0[4];
        w2 = &w2[4];
    }
    for (k = 0; k < (n & 3u); k++) {
        const int32_t v = x[k];
        s0 += w0[k] * v;
        s1 += w0[stride + k] * v;
        s2 += w2[k] * v;
        s3 += w2[stride + k] * v;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)

/* Two rows: what the eight low registers hold. */
{{NAME}}_KERNEL static void {{name}}_dot_int8(const int8_t *weights, size_t stride, const int8_t *x, size_t n,
    int32_t sums[2])
{
    const int8_t *const w0 = weights;
    const int8_t *const w1 = &w0[stride];
    int32_t s0 = 0;
    int32_t s1 = 0;
    size_t k = n;
    while (k > 0u) {
        int32_t v;
        k--;
        v = x[k];
        s0 += w0[k] * v;
        s1 += w1[k] * v;
    }
    sums[0] = s0;
    sums[1] = s1;
}

#else

{{NAME}}_KERNEL static void {{name}}_dot_int8(const int8_t *weights, size_t stride, const int8_t *x, size_t n,
    int32_t sums[4])
{
    const int8_t *w0 = weights;
    const int8_t *w1 = &w0[stride];
    const int8_t *w2 = &w1[stride];
    const int8_t *w3 = &w2[stride];
    int32_t s0 = 0;
    int32_t s1 = 0;
    int32_t s2 = 0;
    int32_t s3 = 0;
    size_t k;
    for (k = n / 4u; k > 0u; k--) {
        int8_t v = x[0];
        s0 += (int32_t)({{NAME}}_I8(&w0[0]) * v);
        s1 += (int32_t)({{NAME}}_I8(&w1[0]) * v);
        s2 += (int32_t)({{NAME}}_I8(&w2[0]) * v);
        s3 += (int32_t)({{NAME}}_I8(&w3[0]) * v);
        v = x[1];
        s0 += (int32_t)({{NAME}}_I8(&w0[1]) * v);
        s1 += (int32_t)({{NAME}}_I8(&w1[1]) * v);
        s2 += (int32_t)({{NAME}}_I8(&w2[1]) * v);
        s3 += (int32_t)({{NAME}}_I8(&w3[1]) * v);
        v = x[2];
        s0 += (int32_t)({{NAME}}_I8(&w0[2]) * v);
        s1 += (int32_t)({{NAME}}_I8(&w1[2]) * v);
        s2 += (int32_t)({{NAME}}_I8(&w2[2]) * v);
        s3 += (int32_t)({{NAME}}_I8(&w3[2]) * v);
        v = x[3];
        s0 += (int32_t)({{NAME}}_I8(&w0[3]) * v);
        s1 += (int32_t)({{NAME}}_I8(&w1[3]) * v);
        s2 += (int32_t)({{NAME}}_I8(&w2[3]) * v);
        s3 += (int32_t)({{NAME}}_I8(&w3[3]) * v);
        x = &x[4];
        w0 = &w0[4];
        w1 = &w1[4];
        w2 = &w2[4];
        w3 = &w3[4];
    }
    for (k = 0; k < (n & 3u); k++) {
        const int8_t v = x[k];
        s0 += (int32_t)({{NAME}}_I8(&w0[k]) * v);
        s1 += (int32_t)({{NAME}}_I8(&w1[k]) * v);
        s2 += (int32_t)({{NAME}}_I8(&w2[k]) * v);
        s3 += (int32_t)({{NAME}}_I8(&w3[k]) * v);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#endif
#endif
