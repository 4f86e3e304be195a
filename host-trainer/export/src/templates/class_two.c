
size_t {{name}}_class(const {{name}}_output_t *output)
{
    const int32_t difference = (int32_t)output[1] - (int32_t)output[0];
    return (difference > ({{threshold}})) ? 1u : 0u;
}
