// Reads inputs, runs {{name}}, and prints the answer once a second.
#include <{{name}}.h>

static {{name}}_scratch_t scratch;
static {{name}}_output_t output[{{NAME}}_OUTPUTS];
static {{reading}} input[{{NAME}}_INPUTS];

void setup() {
  Serial.begin(115200);
  if ({{name}}_self_test(&scratch) != {{NAME}}_OK) {
    Serial.println(F("self-test failed"));
  }
}

void loop() {
{{sketch_fill}}  const {{name}}_status_t status = {{call}};
  if (status != {{NAME}}_OK) {
    Serial.println(F("an input is not a number"));
  } else {
{{sketch_print}}  }
  delay(1000);
}
