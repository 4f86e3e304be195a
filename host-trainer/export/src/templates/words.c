
#if defined({{NAME}}_DSP){{and_words}}
/* Four bytes from any address. */
typedef struct {
    uint32_t word;
} __attribute__((packed, may_alias)) {{name}}_word_t;

static inline uint32_t {{name}}_word(const void *bytes)
{
    return ((const {{name}}_word_t *)bytes)->word;
}

/* Sign-extends bytes 1 and 3. */
static inline int16x2_t {{name}}_odd(uint32_t word)
{
    int16x2_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
}
#endif
