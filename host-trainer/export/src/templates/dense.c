
/* Writes the outputs of a dense layer. */
static void {{name}}_dense_{{x_kernel}}_{{y_kernel}}(const {{name}}_dense_t *layer,
    const {{x_kernel}}_t *x, {{y_kernel}}_t *y)
{
    const size_t inputs = layer->inputs;
    const size_t outputs = layer->outputs;
    const size_t stride = layer->stride;
    const int8_t *weights = layer->weights;
    size_t row = 0;
    size_t left;
    for (left = outputs / {{NAME}}_ROWS; left > 0u; left--) {
        int32_t sums[{{NAME}}_ROWS];
        {{name}}_dot_{{x_kernel}}(weights, stride, x, inputs, sums);
        {{name}}_outputs_{{y_kernel}}(&layer->rows, row, sums, y);
        row += {{NAME}}_ROWS;
        weights = &weights[{{NAME}}_ROWS * stride];
    }
    for (left = outputs % {{NAME}}_ROWS; left > 0u; left--) {
        const int32_t sum = {{name}}_dot1_{{x_kernel}}(weights, x, inputs);
        y[row] = ({{y_kernel}}_t){{name}}_output(&layer->rows, row, sum);
        row++;
        weights = &weights[stride];
    }
}
