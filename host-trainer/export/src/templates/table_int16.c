
/* Applies an element-wise function by its table, linear between the entries; `y` may be `x`. */
static void {{name}}_table_int16(const int16_t *table, const int16_t *x, int16_t *y, size_t n)
{
    size_t k;
    for (k = 0; k < n; k++) {
        const uint16_t place = (uint16_t)((int32_t)x[k] + 32768);
        const int32_t left = {{NAME}}_I16(&table[place >> 8]);
        const int32_t right = {{NAME}}_I16(&table[(place >> 8) + 1u]);
        const int32_t part = (int32_t)(place & 0xffu);
        y[k] = (int16_t)(left + ((((right - left) * part) + 128) >> 8));
    }
}
