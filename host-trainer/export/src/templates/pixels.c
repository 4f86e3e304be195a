
{{name}}_status_t {{name}}_run_pixels(const uint8_t *pixels, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch)
{
    int8_t *values;
    size_t k;
    if ((pixels == NULL) || (output == NULL) || (scratch == NULL)) {
        return {{NAME}}_NULL;
    }
    if ((inputs != {{NAME}}_INPUTS) || (outputs != {{NAME}}_OUTPUTS)) {
        return {{NAME}}_LENGTH;
    }
    values = &scratch->bytes[{{input_offset}}];
    for (k = 0; k < inputs; k++) {
        values[k] = (int8_t)((int16_t)pixels[k] - 128);
    }
    {{name}}_layers(values, output, scratch);
    return {{NAME}}_OK;
}
