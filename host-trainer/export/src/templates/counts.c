
{{name}}_status_t {{name}}_run_counts(const int16_t *counts, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch, uint16_t *saturated)
{
    {{x}}_t *values;
    uint16_t beyond = 0;
    size_t channel = 0;
    size_t k;
    if ((counts == NULL) || (output == NULL) || (scratch == NULL)) {
        return {{NAME}}_NULL;
    }
    if ((inputs != {{NAME}}_INPUTS) || (outputs != {{NAME}}_OUTPUTS)) {
        return {{NAME}}_LENGTH;
    }
    values = ({{x}}_t *)(void *)&scratch->bytes[{{input_offset}}];
    for (k = 0; k < inputs; k++) {
        int32_t distance = ((int32_t)counts[k] * 256) - {{NAME}}_I32(&{{name}}_offsets[channel]);
        int32_t multiplier = {{NAME}}_I32(&{{name}}_factors[channel]);
        int32_t value;
        if (multiplier < 0) {
            /* A falling sensor. */
            multiplier = -multiplier;
            distance = -distance;
        }
        value = {{name}}_requantize(distance, multiplier, {{NAME}}_I8(&{{name}}_factor_shifts[channel]));
        if (value < {{least}}) {
            value = {{least}};
            beyond++;
        }
        if (value > {{most}}) {
            value = {{most}};
            beyond++;
        }
        values[k] = ({{x}}_t)(value + ({{input_zero_point}}));
        channel++;
        if (channel == {{channels}}u) {
            channel = 0;
        }
    }
    {{name}}_layers(values, output, scratch);
    if (saturated != NULL) {
        *saturated = beyond;
    }
    return {{NAME}}_OK;
}
