
/* Doubling high multiply, rounded to nearest, ties up. */
static int32_t {{name}}_high(int32_t a, int32_t b)
{
    return (int32_t)((((int64_t)a * (int64_t)b) + ((int64_t)1 << 30)) >> 31);
}

/* Divides by 2^exponent, rounded to nearest, ties away from zero; `exponent` is positive. */
static int32_t {{name}}_divide(int32_t value, int32_t exponent)
{
    const int32_t away = (value < 0) ? (value - 1) : value;
    return (exponent > 31) ? 0 : (((away >> (exponent - 1)) + 1) >> 1);
}

/* Multiplies by 2^exponent, saturating. */
static int32_t {{name}}_multiply(int32_t value, int32_t factor)
{
    const int64_t product = (int64_t)value * (int64_t)factor;
    if (product > INT32_MAX) {
        return INT32_MAX;
    }
    return (product < INT32_MIN) ? INT32_MIN : (int32_t)product;
}

/* Returns e^(logit - largest logit) in Q31. */
static int32_t {{name}}_exponential(const int32_t *exponentials, size_t count, int32_t below)
{
    return ((size_t)below < count) ? {{NAME}}_I32(&exponentials[below]) : 0;
}

/*
 * Turns logits into probabilities of 1/256 each step: TensorFlow Lite Micro's int8 softmax. `y` may
 * be `x`.
 */
static void {{name}}_softmax(const int32_t *exponentials, size_t count, const int8_t *x, int8_t *y,
    size_t n)
{
    int32_t most = -128;
    int32_t sum = 0;
    int32_t headroom = 0;
    int32_t half;
    int32_t reciprocal;
    uint32_t shifted;
    size_t k;
    for (k = 0; k < n; k++) {
        if (x[k] > most) {
            most = x[k];
        }
    }
    for (k = 0; k < n; k++) {
        const int32_t e = {{name}}_exponential(exponentials, count, most - x[k]);
        sum += {{name}}_divide(e, 12);
    }
    /* The sum is at least 2^19: the largest value has 2^31 / 2^12. */
    shifted = (uint32_t)sum;
    while ((shifted & 0x80000000u) == 0u) {
        shifted <<= 1;
        headroom++;
    }
    /* Half of the sum, which is 1 to 2 times a power of two, in Q31; Newton's iteration in Q29. */
    half = (int32_t)(shifted >> 1);
    reciprocal = 1515870810 + {{name}}_high(half, -1010580540);
    for (k = 0; k < 3u; k++) {
        const int32_t remainder = ((int32_t)1 << 29) - {{name}}_high(half, reciprocal);
        reciprocal += {{name}}_multiply({{name}}_high(reciprocal, remainder), 4);
    }
    reciprocal = {{name}}_multiply(reciprocal, 2);
    for (k = 0; k < n; k++) {
        const int32_t e = {{name}}_exponential(exponentials, count, most - x[k]);
        const int32_t value = {{name}}_divide({{name}}_high(reciprocal, e), 35 - headroom) - 128;
        y[k] = (int8_t)((value > 127) ? 127 : value);
    }
}
