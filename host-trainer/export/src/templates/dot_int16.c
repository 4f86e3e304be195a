
/* Adds up the products of a row of weights with int16 inputs. */
static int32_t {{name}}_dot1_int16(const int8_t *weights, const int16_t *x, size_t n)
{
    int32_t sum = 0;
    size_t k;
    for (k = 0; k < n; k++) {
        sum += (int32_t){{NAME}}_I8(&weights[k]) * x[k];
    }
    return sum;
}

#if defined({{NAME}}_DSP)

{{NAME}}_KERNEL static void {{name}}_dot_int16(const int8_t *weights, size_t stride,
    const int16_t *x, size_t n, int32_t sums[4])
{
    /* Rows 0 and 2; the others lie a stride behind them. */
    const int8_t *w0 = weights;
    const int8_t *w2 = &w0[2u * stride];
    int32_t s0 = 0;
    int32_t s1 = 0;
    int32_t s2 = 0;
    int32_t s3 = 0;
    const int16_t *const end = &x[n & ~(size_t)3];
    size_t k;
    while (x != end) {
        const uint32_t first = {{name}}_word(&x[0]);
        const uint32_t second = {{name}}_word(&x[2]);
        const int16x2_t even = (int16x2_t)((first & 0xffffu) | (second << 16));
        const int16x2_t odd = (int16x2_t)((first >> 16) | (second & 0xffff0000u));
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

#else

static void {{name}}_dot_int16(const int8_t *weights, size_t stride, const int16_t *x, size_t n,
    int32_t *sums)
{
    size_t k;
    for (k = 0; k < {{NAME}}_ROWS; k++) {
        sums[k] = {{name}}_dot1_int16(&weights[k * stride], x, n);
    }
}

#endif
