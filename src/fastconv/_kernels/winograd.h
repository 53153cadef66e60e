/* The contract between _winograd.pyx and the kernels of winograd.pyx.in.

   All for one dtype, float or double, of L lanes, and tiles of m x m outputs and n x n inputs, n = m + 2: entry 0 of two is
   for m = 2, entry 1 for m = 4. The lanes of a vector are channels. Distances are in elements. A panel: 2 L output
   channels, or L in the last if no more are left; multiply[vectors - 1] is for it.

   gather    to[i][c] = x[c plane + i], 0 <= i < count, zero for channels <= c < L; `slack`: L - 1 elements after the last
             may be read in every channel.
   scatter   y[c plane + i] = from[i][c], 0 <= i < count, 0 <= c < channels.
   weights   u[e step + lane] = (G w G^T)[e], of w[tap][lane]; g is G, n x 3.
   input     v[e step + t pitch + lane] = (B^T d B)[e], 0 <= t < tiles, d[a][b] = vector rows[a][m t + b].
   multiply  to[t to_pitch + lane] = sum_c v[t pitch + c] u[c width + lane], 0 <= c < channels, width: of the panel.
   output    to[a ld + m t + b] = bias + (A^T s A)[a][b], s[e] = sums[e step + t pitch + lane], where m t + b < count;
             returns whether all of these are finite.
   direct    of one tile: to[a ld + b] = bias + sum over c, i, j of w[(c 3 + i) 3 + j][lane] x[(c n + a + i) n + b + j],
             b < count.
   c: the constants of the transforms, in the order of _winograd.constants. */
#ifndef FASTCONV_KERNEL_WINOGRAD_H
#define FASTCONV_KERNEL_WINOGRAD_H
#include <stddef.h>

#define FC_WINOGRAD_TABLE "fastconv._kernels.winograd.v2"

typedef struct {
    int lanes, rows;                        /* rows: tiles that multiply takes at a time */
    void (*gather)(const void *x, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t count, int slack, void *to);
    void (*scatter)(const void *from, ptrdiff_t count, ptrdiff_t channels, void *y, ptrdiff_t plane);
    void (*weights[2])(const void *w, const double *g, void *u, ptrdiff_t step);
    void (*input[2])(const void *const *rows, ptrdiff_t tiles, const void *c, void *v, ptrdiff_t pitch, ptrdiff_t step);
    void (*multiply[2])(const void *v, ptrdiff_t pitch, ptrdiff_t tiles, const void *u, ptrdiff_t channels, void *to,
                        ptrdiff_t to_pitch);
    int (*output[2])(const void *sums, ptrdiff_t pitch, ptrdiff_t step, ptrdiff_t tiles, const void *c, const void *bias,
                     void *to, ptrdiff_t ld, ptrdiff_t count);
    void (*direct[2])(const void *x, const void *w, ptrdiff_t channels, const void *bias, void *to, ptrdiff_t ld,
                      ptrdiff_t count);
} fc_winograd;

typedef struct {
    fc_winograd dtype[2];                   /* float, double */
} fc_winograd_table;
#endif
