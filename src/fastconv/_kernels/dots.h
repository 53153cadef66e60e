/* The contract between _dots.pyx and the kernels of dots.pyx.in, for one dtype, float or double. Distances are in elements.

   windows  y[o ldy + p] = bias[o] + sum over r, t of w[(o rows + r) taps + t] x[r row + p stride + t],
            0 <= p < n, 0 <= o < outputs; reads nothing that the formula does not name. */
#ifndef FASTCONV_KERNEL_DOTS_H
#define FASTCONV_KERNEL_DOTS_H
#include <stddef.h>

#define FC_DOTS_TABLE "fastconv._kernels.dots.v1"

typedef struct {
    int lanes;
    void (*windows)(const void *x, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t n, const void *w,
                    ptrdiff_t taps, const void *bias, ptrdiff_t outputs, void *y, ptrdiff_t ldy);
} fc_dots;

typedef struct {
    fc_dots dtype[2];                       /* float, double */
} fc_dots_table;
#endif
