
#ifndef {{NAME}}_NO_FLOAT
/* Returns the real value that output `index` stands for, in the unit of the training data. */
float {{name}}_real(const {{name}}_output_t *output, size_t index);
#endif
