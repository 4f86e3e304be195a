
/* Writes the outputs of a dense layer with int4 weights. */
static void {{name}}_int4_{{x_kernel}}_{{y_kernel}}(const {{name}}_dense_t *layer, const {{x_kernel}}_t *x, {{y_kernel}}_t *y)
{
    const size_t pairs = (size_t)layer->inputs / 2u;
    const size_t outputs = layer->outputs;
    const int8_t *weights = layer->weights;
    size_t row;
    for (row = 0; row < outputs; row++) {
        int32_t sum = 0;
        size_t k;
        for (k = 0; k < pairs; k++) {
            const int8_t both = {{NAME}}_I8(&weights[k]);
            const int8_t low = (int8_t)((uint8_t)both << 4);
            sum += (int32_t)(low >> 4) * x[2u * k];
            sum += (int32_t)(both >> 4) * x[(2u * k) + 1u];
        }
        if ((layer->inputs & 1u) != 0u) {
            const int8_t low = (int8_t)((uint8_t){{NAME}}_I8(&weights[pairs]) << 4);
            sum += (int32_t)(low >> 4) * x[2u * pairs];
        }
        y[row] = ({{y_kernel}}_t){{name}}_output(&layer->rows, row, sum);
        weights = &weights[layer->stride];
    }
}
