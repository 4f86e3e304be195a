
/* What makes outputs of the sums of a layer. `low` and `high` are the clamp less the zero point. */
typedef struct {
    const int32_t *biases;
    const int32_t *multipliers;
    const int8_t *shifts;
    int32_t zero_point;
    int32_t low;
    int32_t high;
} {{name}}_rows_t;

/* Returns the output of a row for the sum of its products. */
static int32_t {{name}}_output(const {{name}}_rows_t *rows, size_t row, int32_t sum)
{
    /* The zero point of the input is folded into the bias, modulo 2^32. */
    const uint32_t bias = (uint32_t){{NAME}}_I32(&rows->biases[row]);
    const int32_t total = (int32_t)(bias + (uint32_t)sum);
    int32_t value = {{name}}_requantize(total, {{NAME}}_I32(&rows->multipliers[row]),
        {{NAME}}_I8(&rows->shifts[row]));
    if (value < rows->low) {
        value = rows->low;
    }
    if (value > rows->high) {
        value = rows->high;
    }
    return value + rows->zero_point;
}
