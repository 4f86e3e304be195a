
/*
 * A dense layer: rows of int8 weights; of int4 weights, two to a byte, the first in the low half; of
 * int2 weights, four to a byte, the first in the low bits, c for 2 * c - 3; or of ternary weights, five
 * to a byte, the first of which is, less 1, the upper byte of three times the byte.
 */
typedef struct {
    const int8_t *weights;
    uint16_t inputs;
    uint16_t outputs;
    /* Bytes of a row. */
    uint16_t stride;
    {{name}}_rows_t rows;
} {{name}}_dense_t;
