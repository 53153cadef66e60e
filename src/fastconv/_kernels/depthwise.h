/* The contract between _depthwise.pyx and the kernels of depthwise.pyx.in, for one dtype, float or double, of L lanes.
   Distances are in elements.

   pad    rows of n elements between zeros: to[r ld + left + i] = x[r row + i], 0 <= r < n_rows, zeros in the `left` elements
          before and after x up to element width - 1; writes up to L - 1 elements before, and 2 L - 1 after these.
   rows   y[r ldy + c] = bias + sum over a, i, j of w[(a kh + i) kw + j] x[a plane + i tap_row + j tap_col + r row + c step],
          0 <= r < n_rows, 0 <= c < n, step 1 or 2; reads up to 2 L - 1 elements after the last that the formula names. */
#ifndef FASTCONV_KERNEL_DEPTHWISE_H
#define FASTCONV_KERNEL_DEPTHWISE_H
#include <stddef.h>

#define FC_DEPTHWISE_TABLE "fastconv._kernels.depthwise.v1"

typedef struct {
    ptrdiff_t kd, kh, kw, plane, tap_row, tap_col, row, step;
} fc_taps;

typedef struct {
    int lanes;
    void (*pad)(const void *x, ptrdiff_t row, ptrdiff_t n_rows, ptrdiff_t n, ptrdiff_t left, ptrdiff_t width, void *to,
                ptrdiff_t ld);
    void (*rows)(const void *x, const fc_taps *taps, const void *w, const void *bias, void *y, ptrdiff_t ldy,
                 ptrdiff_t n_rows, ptrdiff_t n);
} fc_depthwise;

typedef struct {
    fc_depthwise dtype[2];                  /* float, double */
} fc_depthwise_table;
#endif
