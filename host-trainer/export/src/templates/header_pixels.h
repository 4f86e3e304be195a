
/* Runs the network on {{NAME}}_INPUTS unsigned bytes, such as pixels from 0 to 255. */
{{name}}_status_t {{name}}_run_pixels(const uint8_t *pixels, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch);
