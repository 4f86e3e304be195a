    for (size_t k = 0; k < {{NAME}}_OUTPUTS; k++) {
      Serial.print({{name}}_real(output, k), 4);
      Serial.print(k + 1 < {{NAME}}_OUTPUTS ? ' ' : '\n');
    }
