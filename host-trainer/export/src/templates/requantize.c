
/*
 * Multiplies an accumulator by multiplier * 2^(shift - 31) with TensorFlow Lite's double rounding:
 * the doubling high multiply rounds ties up, the shift rounds ties away from zero. The model was
 * checked: sum * 2^shift fits into 32 bits.
 */
static int32_t {{name}}_requantize(int32_t sum, int32_t multiplier, int8_t shift)
{
    const int32_t left = (shift > 0) ? (sum * ((int32_t)1 << shift)) : sum;
    const int64_t product = (int64_t)left * (int64_t)multiplier;
    int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
    if (shift < 0) {
        /* One less for negative numbers sends their ties down, that is away from zero. */
        high += high >> 31;
        high = ((high >> (-1 - shift)) + 1) >> 1;
    }
    return high;
}
