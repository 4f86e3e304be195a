
size_t {{name}}_class(const {{name}}_output_t *output)
{
    return ((int32_t)output[0] > ({{threshold}})) ? 1u : 0u;
}
