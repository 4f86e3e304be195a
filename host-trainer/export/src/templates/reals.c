
#ifndef {{NAME}}_NO_FLOAT
{{name}}_status_t {{name}}_run_reals(const float *reals, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch, uint16_t *saturated)
{
    {{x}}_t *values;
    uint16_t beyond = 0;
    size_t channel = 0;
    size_t k;
    if ((reals == NULL) || (output == NULL) || (scratch == NULL)) {
        return {{NAME}}_NULL;
    }
    if ((inputs != {{NAME}}_INPUTS) || (outputs != {{NAME}}_OUTPUTS)) {
        return {{NAME}}_LENGTH;
    }
    values = ({{x}}_t *)(void *)&scratch->bytes[{{input_offset}}];
    for (k = 0; k < inputs; k++) {
        const float factor = {{NAME}}_F32(&{{name}}_factors[channel]);
        int32_t value = 0;
        if (!(reals[k] == reals[k])) {
            return {{NAME}}_NOT_A_NUMBER;
        }
        if ((factor < 0.0f) || (factor > 0.0f)) {
            const float difference = reals[k] - {{NAME}}_F32(&{{name}}_offsets[channel]);
            float steps = difference * factor;
            /* Beyond every input, and within the integers that a float has. */
            if (!(steps > -100000.0f)) {
                steps = -100000.0f;
            }
            if (steps > 100000.0f) {
                steps = 100000.0f;
            }
            /* To nearest, ties away from zero. */
            value = (int32_t)steps;
            if (steps >= ((float)value + 0.5f)) {
                value++;
            } else if (steps <= ((float)value - 0.5f)) {
                value--;
            } else {
                /* It is the nearest. */
            }
        }
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
#endif
