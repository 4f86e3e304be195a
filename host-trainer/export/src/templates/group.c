
/* Writes the outputs of a group of rows. */
static void {{name}}_outputs_{{y_kernel}}(const {{name}}_rows_t *rows, size_t row, const int32_t *sums,
    {{y_kernel}}_t *y)
{
#if defined({{NAME}}_MVE)
    const int32x4_t zero = vdupq_n_s32(0);
    const int32x4_t shift = vldrbq_s32(&rows->shifts[row]);
    const int32x4_t right = vminq_s32(shift, zero);
    int32x4_t value = vaddq_s32(vldrwq_s32(sums), vldrwq_s32(&rows->biases[row]));
    value = vshlq_s32(value, vmaxq_s32(shift, zero));
    value = vqrdmulhq_s32(value, vldrwq_s32(&rows->multipliers[row]));
    value = vaddq_s32(value, vshrq_n_s32(vandq_s32(value, right), 31));
    value = vrshlq_s32(value, right);
    value = vmaxq_s32(value, vdupq_n_s32(rows->low));
    value = vminq_s32(value, vdupq_n_s32(rows->high));
    {{mve_store}}(&y[row], vaddq_n_s32(value, rows->zero_point));
#else
    size_t k;
    for (k = 0; k < {{NAME}}_ROWS; k++) {
        y[row + k] = ({{y_kernel}}_t){{name}}_output(rows, row + k, sums[k]);
    }
#endif
}
