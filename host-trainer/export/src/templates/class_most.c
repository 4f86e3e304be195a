
size_t {{name}}_class(const {{name}}_output_t *output)
{
    size_t best = 0;
    size_t k;
    for (k = 1; k < {{NAME}}_OUTPUTS; k++) {
        if (output[k] > output[best]) {
            best = k;
        }
    }
    return best;
}
