
/* Runs the layers. */
static void {{name}}_layers(const {{name}}_input_t *input, {{name}}_output_t *output,
    {{name}}_scratch_t *scratch)
{
{{declarations}}{{statements}}}
