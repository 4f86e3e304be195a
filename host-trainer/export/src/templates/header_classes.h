
/* Returns the index of the class that {{NAME}}_OUTPUTS outputs stand for. */
size_t {{name}}_class(const {{name}}_output_t *output);

/*
 * Returns the label of a class, or null for an index of {{NAME}}_LABELS or more. On AVR the text lies
 * in program memory: print it with Serial.print((const __FlashStringHelper *)label), or copy it
 * with strcpy_P.
 */
const char *{{name}}_label(size_t index);
