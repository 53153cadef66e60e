/* The contract between the driver of CNN layers with outputs in the lanes of vectors and one instruction set's
   kernels (spread.pyx.in): each value of x is spread over a vector, and multiplied with vectors of weights.

   All pointers are to elements of the dtype, aligned to one element; outputs overlap no input. L lanes.
   tile[s - 1][m - 1][v - 1]   sums of n products for m <= pixels pixels, in two runs, and v <= 2 vectors of outputs:
           y[i v L + j] = c[i step + j] + sum_k x[off[k] + at(i)] w[k v L + j],  0 <= i < m, 0 <= j < v L,
           at(i) = i s in the first run, i < h = (m + 1) / 2, and second + (i - h) s in the other. c may be y, or NULL
           for zeros. n >= 0.
   turn    y[j ldy + i] = x[i ldx + j], 0 <= i < m, 0 <= j < n.
   rows    y[r length + before + j] = x[r ldx + j], 0 <= j < n, 0 <= r < rows, among zeros: before, and to `length`.
           Writes up to L - 1 elements past the last row. */
#ifndef FASTCONV_SPREAD_H
#define FASTCONV_SPREAD_H
#include "table.h"

#define FC_SPREAD_TABLE "fastconv._kernels.spread.v1"
enum { FC_SPREAD_STEPS = 2, FC_SPREAD_PIXELS = 14, FC_SPREAD_VECTORS = 2 };

typedef void (*fc_spread_tile)(ptrdiff_t n, const void *w, const void *x, const ptrdiff_t *off, ptrdiff_t second,
                               const void *c, ptrdiff_t step, void *y);
typedef void (*fc_spread_turn)(const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy, ptrdiff_t m, ptrdiff_t n);
typedef void (*fc_spread_rows)(const void *x, ptrdiff_t ldx, ptrdiff_t rows, ptrdiff_t before, ptrdiff_t n,
                               ptrdiff_t length, void *y);

typedef struct {
    int lanes, pixels;                  /* lanes: 0 if the dtype has no kernels */
    fc_spread_tile tile[FC_SPREAD_STEPS][FC_SPREAD_PIXELS][FC_SPREAD_VECTORS];
    fc_spread_turn turn;
    fc_spread_rows rows;
} fc_spread;

typedef struct {
    fc_spread dtype[FC_N_DTYPES];
} fc_spread_table;
#endif
