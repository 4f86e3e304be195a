
#ifndef {{NAME}}_NO_FLOAT
/*
 * Runs the network on {{NAME}}_INPUTS real numbers in the units of the training data. Unless
 * `saturated` is null, it gets the number of them beyond the range of the training data, which were
 * taken for its least or largest value. Do not compile with -ffast-math.
 */
{{name}}_status_t {{name}}_run_reals(const float *reals, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch, uint16_t *saturated);
#endif
