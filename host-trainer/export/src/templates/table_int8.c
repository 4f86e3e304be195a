
/* Applies an element-wise function by its table; `y` may be `x`. */
static void {{name}}_table_int8(const int8_t *table, const int8_t *x, int8_t *y, size_t n)
{
    size_t k;
    for (k = 0; k < n; k++) {
        y[k] = {{NAME}}_I8(&table[x[k] + 128]);
    }
}
