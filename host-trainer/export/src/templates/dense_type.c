
/* A dense layer: rows of int8 weights, or of int4 weights, two to a byte, the first in the low half. */
typedef struct {
    const int8_t *weights;
    uint16_t inputs;
    uint16_t outputs;
    /* Bytes of a row. */
    uint16_t stride;
    {{name}}_rows_t rows;
} {{name}}_dense_t;
