/* The contract between _means and one instruction set's passes over rows with missing values (missing.pyx.in).

   Rows are contiguous, aligned to one element; outputs overlap no input. `part` is 0 for float32, 1 for float64.
   take    to = x and ok = 1; where x is NaN, or mask (of bytes, or NULL) is not 0, to = put and ok = 0. Returns how many are
           missing.
   divide  y = y / below scale */
#ifndef FASTCONV_MISSING_H
#define FASTCONV_MISSING_H
#include <stddef.h>

#define FC_MISSING_TABLE "fastconv._kernels.missing.v1"

typedef struct {
    ptrdiff_t (*take[2])(const void *x, const char *mask, ptrdiff_t n, double put, void *to, void *ok);
    void (*divide[2])(void *y, const void *below, double scale, ptrdiff_t n);
} fc_missing_table;
#endif
