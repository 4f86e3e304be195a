
/* Writes the outputs of a dense layer with int2 weights. */
static void {{name}}_int2_{{x_kernel}}_{{y_kernel}}(const {{name}}_dense_t *layer, const {{x_kernel}}_t *x, {{y_kernel}}_t *y)
{
    const size_t inputs = layer->inputs;
    const size_t outputs = layer->outputs;
    const int8_t *weights = layer->weights;
    size_t row;
    for (row = 0; row < outputs; row++) {
        int32_t sum = 0;
        uint8_t codes = 0;
        size_t k;
        for (k = 0; k < inputs; k++) {
            if ((k & 3u) == 0u) {
                codes = (uint8_t){{NAME}}_I8(&weights[k / 4u]);
            }
            sum += (((int32_t)(codes & 3u) * 2) - 3) * x[k];
            codes = (uint8_t)(codes >> 2);
        }
        y[row] = ({{y_kernel}}_t){{name}}_output(&layer->rows, row, sum);
        weights = &weights[layer->stride];
    }
}
