
{{name}}_status_t {{name}}_self_test({{name}}_scratch_t *scratch)
{
    {{x}}_t *input;
    {{y}}_t *output;
    size_t test;
    if (scratch == NULL) {
        return {{NAME}}_NULL;
    }
    input = ({{x}}_t *)(void *)&scratch->bytes[{{input_offset}}];
    output = ({{y}}_t *)(void *)&scratch->bytes[{{output_offset}}];
    for (test = 0; test < {{NAME}}_SELF_TESTS; test++) {
        const {{x}}_t *from = &{{name}}_test_inputs[test * {{NAME}}_INPUTS];
        const {{y}}_t *expected = &{{name}}_test_outputs[test * {{NAME}}_OUTPUTS];
        size_t k;
        for (k = 0; k < {{NAME}}_INPUTS; k++) {
            input[k] = {{NAME}}_I{{x_bits}}(&from[k]);
        }
        {{name}}_layers(input, output, scratch);
        for (k = 0; k < {{NAME}}_OUTPUTS; k++) {
            if (output[k] != {{NAME}}_I{{y_bits}}(&expected[k])) {
                return {{NAME}}_SELF_TEST;
            }
        }
    }
    return {{NAME}}_OK;
}
