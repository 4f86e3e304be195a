/* Runs {{name}} on an input and prints the answer. */
{{include}}
#include "{{name}}.h"

static {{name}}_scratch_t scratch;
static {{name}}_output_t output[{{NAME}}_OUTPUTS];
/* Put your readings here; {{name}}.h has their order and units. */
static {{reading}} input[{{NAME}}_INPUTS];

{{main}}
{
    size_t k;
    if ({{name}}_self_test(&scratch) != {{NAME}}_OK) {
        {{print}}("self-test failed\n");
    }
    if ({{call}} != {{NAME}}_OK) {
        {{print}}("an input is not a number\n");
        return{{failed}};
    }
    for (k = 0; k < {{NAME}}_OUTPUTS; k++) {
        {{print}}("%d ", (int)output[k]);
    }
    {{print_answer}}
{{end}}}
