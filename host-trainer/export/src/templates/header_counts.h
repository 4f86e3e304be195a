
/*
 * Runs the network on {{NAME}}_INPUTS raw counts, such as those of an analog-to-digital converter,
 * in integers throughout. Unless `saturated` is null, it gets the number of counts beyond the range
 * of the training data, which were taken for its least or largest value.
 */
{{name}}_status_t {{name}}_run_counts(const int16_t *counts, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch, uint16_t *saturated);
