/*
 * {{title}}
 *
 * A quantized neural network as C99: {{shape}}.
 * Written by host-trainer export c; the same model file always gives the same text.
 * Model file: {{file_bytes}} bytes, CRC-32 0x{{checksum}}.
 *
 * The outputs equal those of the engine thimble-nn in every byte, on every core. Nothing is
 * allocated, nothing recurses, and there is no state but the scratch memory that the caller lends:
 * several tasks may run the network at once, each with scratch memory of its own.
 */
#ifndef {{NAME}}_H
#define {{NAME}}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Number of input values, and of output values. */
#define {{NAME}}_INPUTS {{inputs}}
#define {{NAME}}_OUTPUTS {{outputs}}
/* Bytes of {{name}}_scratch_t. */
#define {{NAME}}_SCRATCH_BYTES {{scratch_bytes}}
/* Number of self-tests that the model file has. */
#define {{NAME}}_SELF_TESTS {{self_tests}}
/* A value q stands for scale * (q - zero point). */
#define {{NAME}}_INPUT_SCALE {{input_scale}}
#define {{NAME}}_INPUT_ZERO_POINT ({{input_zero_point}})
#define {{NAME}}_OUTPUT_SCALE {{output_scale}}
#define {{NAME}}_OUTPUT_ZERO_POINT ({{output_zero_point}})
{{label_count}}
{{described}}/* Types of the input values and of the output values. */
typedef {{x}}_t {{name}}_input_t;
typedef {{y}}_t {{name}}_output_t;

/* Memory of one inference. It holds nothing between two calls. */
typedef union {
    int32_t alignment;
    int8_t bytes[{{NAME}}_SCRATCH_BYTES];
} {{name}}_scratch_t;

/* Result of a function that checks its arguments. */
typedef enum {
    /* Success. */
    {{NAME}}_OK = 0,
    /* A pointer is null. */
    {{NAME}}_NULL = 1,
    /* The number of values is not the one of the model. */
    {{NAME}}_LENGTH = 2,
    /* An input is not a number (NaN). */
    {{NAME}}_NOT_A_NUMBER = 3,
    /* The outputs of a self-test differ from those of the model file. */
    {{NAME}}_SELF_TEST = 4
} {{name}}_status_t;

/*
 * Runs the network on quantized values. Checks nothing: no pointer may be null, `input` has
 * {{NAME}}_INPUTS values, `output` room for {{NAME}}_OUTPUTS; they do not overlap.
 */
void {{name}}_run(const {{name}}_input_t *input, {{name}}_output_t *output,
    {{name}}_scratch_t *scratch);

/* Runs the network as {{name}}_run does, after a check of pointers and numbers of values. */
{{name}}_status_t {{name}}_run_checked(const {{name}}_input_t *input, size_t inputs,
    {{name}}_output_t *output, size_t outputs, {{name}}_scratch_t *scratch);
{{entry_points}}
/* Runs the self-tests of the model file; {{NAME}}_OK if every byte is as it should be. */
{{name}}_status_t {{name}}_self_test({{name}}_scratch_t *scratch);

#ifdef __cplusplus
}
#endif

#endif
