
/* Writes the outputs of a dense layer with ternary weights. */
static void {{name}}_ternary_{{x_kernel}}_{{y_kernel}}(const {{name}}_dense_t *layer, const {{x_kernel}}_t *x, {{y_kernel}}_t *y)
{
    const size_t outputs = layer->outputs;
    const int8_t *weights = layer->weights;
    size_t row;
    for (row = 0; row < outputs; row++) {
        int32_t sum = 0;
        size_t byte = 0;
        size_t k = 0;
        while (k < layer->inputs) {
            uint16_t digits = (uint8_t){{NAME}}_I8(&weights[byte]);
            size_t left = layer->inputs - k;
            left = (left < 5u) ? left : 5u;
            byte++;
            while (left > 0u) {
                digits = (uint16_t)((digits & 0xffu) * 3u);
                sum += ((int32_t)(digits >> 8) - 1) * x[k];
                k++;
                left--;
            }
        }
        y[row] = ({{y_kernel}}_t){{name}}_output(&layer->rows, row, sum);
        weights = &weights[layer->stride];
    }
}
