    const char *label = {{name}}_label({{name}}_class(output));
#if defined(__AVR__)
    Serial.println((const __FlashStringHelper *)label);
#else
    Serial.println(label);
#endif
