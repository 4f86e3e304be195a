
#ifndef {{NAME}}_NO_FLOAT
float {{name}}_real(const {{name}}_output_t *output, size_t index)
{
    const int32_t steps = (int32_t)output[index] - ({{NAME}}_OUTPUT_ZERO_POINT);
    /* Rounded before the sum, also where the core multiplies and adds in one instruction. */
    const volatile float scaled = {{scale}} * (float)steps;
    return {{offset}} + scaled;
}
#endif
