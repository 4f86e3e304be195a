
/*
 * A dense layer of which only those blocks of four weights are stored that are not all zero: the
 * number of blocks of each row, the first column of each block, the weights.
 */
typedef struct {
    const uint16_t *counts;
    const uint16_t *columns;
    const int8_t *weights;
    uint16_t outputs;
    {{name}}_rows_t rows;
} {{name}}_sparse_t;
