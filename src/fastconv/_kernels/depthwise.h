/* The contract between _depthwise.pyx and the kernels of depthwise.pyx.in, for one dtype, float or double, of L lanes.
   Distances are in elements.

   pad     rows of n elements between zeros: to[r ld + left + i] = x[r row + i], 0 <= r < n_rows, zeros in the `left`
           elements before and after x up to element width - 1; writes up to L - 1 elements before, and 2 L - 1 after these.
   planes  y[p y_plane + r ldy + c] = bias[p] + sum over a, i, j of
               w[(p kd + a) kh kw + i kw + j] x[p x_plane + a plane + i tap_row + j tap_col + r row + c step],
           0 <= p < n_planes, 0 <= r < n_rows, 0 <= c < n, step 1 or 2.
           masked: only rows and columns of x from `first` to before `end` are read, the others are zero: columns are
           counted from x, rows in distances of tap_row. Whole: rows of INT_MAX are, for taps that no `unrolled` is for.
           Else all are read, and up to 2 L - 1 elements after the last that the formula names. */
#ifndef FASTCONV_KERNEL_DEPTHWISE_H
#define FASTCONV_KERNEL_DEPTHWISE_H
#include <stddef.h>

#define FC_DEPTHWISE_TABLE "fastconv._kernels.depthwise.v2"

typedef struct {
    ptrdiff_t kd, kh, kw, plane, tap_row, tap_col, row, step;
    ptrdiff_t first_row, end_row, first_col, end_col;
} fc_taps;

typedef struct {
    int lanes, masked;
    int (*unrolled)(const fc_taps *taps);
    void (*pad)(const void *x, ptrdiff_t row, ptrdiff_t n_rows, ptrdiff_t n, ptrdiff_t left, ptrdiff_t width, void *to,
                ptrdiff_t ld);
    void (*planes)(const void *x, ptrdiff_t x_plane, const fc_taps *taps, const void *w, const void *bias, void *y,
                   ptrdiff_t y_plane, ptrdiff_t ldy, ptrdiff_t n_rows, ptrdiff_t n, ptrdiff_t n_planes);
} fc_depthwise;

typedef struct {
    fc_depthwise dtype[2];                  /* float, double */
} fc_depthwise_table;
#endif
