
void {{name}}_run(const {{name}}_input_t *input, {{name}}_output_t *output,
    {{name}}_scratch_t *scratch)
{
    {{name}}_layers(input, output, scratch);
}

{{name}}_status_t {{name}}_run_checked(const {{name}}_input_t *input, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch)
{
    if ((input == NULL) || (output == NULL) || (scratch == NULL)) {
        return {{NAME}}_NULL;
    }
    if ((inputs != {{NAME}}_INPUTS) || (outputs != {{NAME}}_OUTPUTS)) {
        return {{NAME}}_LENGTH;
    }
    {{name}}_layers(input, output, scratch);
    return {{NAME}}_OK;
}
