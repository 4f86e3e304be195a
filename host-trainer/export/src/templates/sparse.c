
/* Writes the outputs of a layer with block-sparse weights. */
static void {{name}}_sparse_{{x_kernel}}_{{y_kernel}}(const {{name}}_sparse_t *layer, const {{x_kernel}}_t *x, {{y_kernel}}_t *y)
{
    const uint16_t *columns = layer->columns;
    const int8_t *weights = layer->weights;
    const size_t outputs = layer->outputs;
    size_t row;
    for (row = 0; row < outputs; row++) {
        int32_t sum = 0;
        uint16_t blocks = {{NAME}}_U16(&layer->counts[row]);
        while (blocks > 0u) {
            const {{x_kernel}}_t *four = &x[{{NAME}}_U16(columns)];
            sum += (int32_t){{NAME}}_I8(&weights[0]) * four[0];
            sum += (int32_t){{NAME}}_I8(&weights[1]) * four[1];
            sum += (int32_t){{NAME}}_I8(&weights[2]) * four[2];
            sum += (int32_t){{NAME}}_I8(&weights[3]) * four[3];
            columns = &columns[1];
            weights = &weights[4];
            blocks--;
        }
        y[row] = ({{y_kernel}}_t){{name}}_output(&layer->rows, row, sum);
    }
}
