/*
 * Thimble: runs quantized neural networks from model files, with kernels in assembly for the core.
 *
 * Nothing is allocated and nothing panics: every wrong argument is answered by a status. A model file
 * (NAME.thimble, packed for the core by host-trainer pack --for CORE) is checked whole when it is
 * opened, and read in place: it may lie in flash.
 *
 * Threads: a handle and its scratch memory belong to one task at a time. Functions that get different
 * handles with different scratch memory may run at once. No function may be called for a handle from
 * an interrupt while another runs for it.
 *
 * The library needs memcpy, memset, memcmp, fminf and fmaxf of a C library, and the compiler's own
 * (libgcc or compiler-rt). All of its symbols begin with thimble_.
 */
#ifndef THIMBLE_H
#define THIMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Result of a function. */
typedef enum {
    THIMBLE_OK = 0,
    /* A pointer is null. */
    THIMBLE_NULL = 1,
    /* A number of values or bytes is not that of the model; an index is too large. */
    THIMBLE_LENGTH = 2,
    /* A pointer, or a model on a core whose kernels read words, is not aligned to four bytes. */
    THIMBLE_ALIGNMENT = 3,
    /* A handle was not initialized. */
    THIMBLE_UNINITIALIZED = 4,
    /* The bytes are no model file, or one that is damaged. */
    THIMBLE_MODEL = 5,
    /* The model is packed for another core. */
    THIMBLE_LAYOUT = 6,
    /* The scratch memory is too small. */
    THIMBLE_SCRATCH = 7,
    /* The model takes no such readings, or has no such answer. */
    THIMBLE_KIND = 8,
    /* A real number is NaN. */
    THIMBLE_NOT_A_NUMBER = 9,
    /* An output of a self-test differs: the model or the program is damaged. */
    THIMBLE_SELF_TEST = 10,
    /* The flash could not be erased or written, or has no room for two slots. */
    THIMBLE_FLASH = 11,
    /* The model is larger than a slot. */
    THIMBLE_TOO_LARGE = 12,
    /* A chunk is not the next one, or is no multiple of 32 bytes. */
    THIMBLE_CHUNK = 13,
    /* Both slots are in use until the device restarts. */
    THIMBLE_RESTART_FIRST = 14,
    /* No update was begun, bytes of it are missing, or there is no model to go back from. */
    THIMBLE_INCOMPLETE = 15,
    THIMBLE_STATUS_IS_32_BITS = 0x7fffffff
} thimble_status_t;

/* Returns the text of a status, in English. */
const char *thimble_status_text(thimble_status_t status);

/* A model in scratch memory. Its content is private; it must not be moved once it is initialized. */
typedef struct {
    uint64_t words[20];
} thimble_engine_t;

/* Stores the bytes of scratch memory that a model needs. */
thimble_status_t thimble_scratch_bytes(const void *model, size_t model_bytes, size_t *bytes);

/*
 * Checks a model file and initializes an engine with it. `model` is aligned to four bytes; it and
 * `scratch`, words of at least thimble_scratch_bytes, stay as long as the engine is used.
 */
thimble_status_t thimble_init(thimble_engine_t *engine, const void *model, size_t model_bytes,
    uint32_t *scratch, size_t scratch_bytes);

/* Stores numbers of inputs and outputs, and of their bytes. Any pointer but the first may be null. */
thimble_status_t thimble_shape(thimble_engine_t *engine, size_t *inputs, size_t *input_bytes,
    size_t *outputs, size_t *output_bytes);

/*
 * Runs the model on quantized values: int8, or int16 in little-endian, `input_bytes` of them. Unsigned
 * bytes, such as pixels, become int8 by byte ^ 0x80.
 */
thimble_status_t thimble_run(thimble_engine_t *engine, const void *input, size_t input_bytes,
    void *output, size_t output_bytes);

/*
 * Runs the model on raw counts, such as those of an analog-to-digital converter. Unless `saturated`
 * is null, it gets the number of counts beyond the range of the training data.
 */
thimble_status_t thimble_run_counts(thimble_engine_t *engine, const int16_t *counts, size_t inputs,
    void *output, size_t output_bytes, uint32_t *saturated);

/* Runs the model on real numbers in the units of the training data. */
thimble_status_t thimble_run_reals(thimble_engine_t *engine, const float *reals, size_t inputs,
    void *output, size_t output_bytes, uint32_t *saturated);

/* Stores the index of the class that an output stands for. */
thimble_status_t thimble_class(thimble_engine_t *engine, const void *output, size_t output_bytes,
    size_t *index);

/* Writes the label of a class, cut off to `size` bytes with the zero at its end. */
thimble_status_t thimble_label(thimble_engine_t *engine, size_t index, char *text, size_t size);

/* Stores the value that an output stands for, in the unit of the training data. */
thimble_status_t thimble_real(thimble_engine_t *engine, const void *output, size_t output_bytes,
    size_t index, float *value);

/* Runs the self-tests of the model file. */
thimble_status_t thimble_self_test(thimble_engine_t *engine);

/*
 * Flash for two models. `erase` erases from an offset to another, multiples of THIMBLE_ERASE_SIZE;
 * `write` writes multiples of 32 bytes to an offset that is one. Both return 0 for success, and what
 * they have done is seen at `base` when they return.
 */
typedef struct {
    /* First argument of both functions. */
    void *context;
    /* Address at which the flash is read, aligned to four bytes. */
    const void *base;
    /* Bytes of the flash for slots. */
    size_t bytes;
    int (*erase)(void *context, uint32_t from, uint32_t to);
    int (*write)(void *context, uint32_t offset, const uint8_t *bytes, size_t count);
} thimble_flash_t;

/* Bytes that an erase takes at least; host-trainer export lib --erase-size chooses them. */
#define THIMBLE_ERASE_SIZE {{erase_size}}u

/*
 * Two slots for models in flash, of which one is current whatever happens: power may fail at any
 * instant of an update. Its content is private; it must not be moved once it is initialized.
 */
typedef struct {
    uint64_t words[16];
} thimble_slots_t;

/* Initializes slots, each of half of the flash. */
thimble_status_t thimble_slots_init(thimble_slots_t *slots, const thimble_flash_t *flash);

/*
 * Chooses the newest model whose self-tests pass, or else `built_in`, and initializes `engine` with it.
 * `hung` tells whether the watchdog ended the run before, for which the newest model is then blamed
 * and left out. `slot` gets 0 or 1, or -1 for the built-in model; it may be null.
 */
thimble_status_t thimble_slots_start(thimble_slots_t *slots, bool hung, thimble_engine_t *engine,
    const void *built_in, size_t built_in_bytes, uint32_t *scratch, size_t scratch_bytes,
    int32_t *slot);

/* Begins an update with a model of this length. The engine goes on running. */
thimble_status_t thimble_update_begin(thimble_slots_t *slots, uint32_t bytes);

/* Writes the next chunk of the model; all but the last are multiples of 32 bytes. */
thimble_status_t thimble_update_write(thimble_slots_t *slots, uint32_t offset, const void *chunk,
    size_t bytes);

/*
 * Reads the model back, checks it, runs its self-tests in `scratch`, and makes it current from the
 * next thimble_slots_start on. An engine whose scratch memory is lent must not run meanwhile.
 */
thimble_status_t thimble_update_finish(thimble_slots_t *slots, uint32_t *scratch,
    size_t scratch_bytes);

/* Goes back to the model before, from the next start on. */
thimble_status_t thimble_roll_back(thimble_slots_t *slots);

#ifdef __cplusplus
}
#endif

#endif
