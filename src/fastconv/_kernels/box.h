/* The contract between the driver of box filters and one instruction set's kernels (box.pyx.in).

   For each kind of element x and of sum s, wide enough for all sums. All pointers are to contiguous elements, aligned to
   one element; outputs overlap no input; n elements each. `scale`, a power of two, counts for floats only.
   load    s = scale x
   add     s += scale x
   move    s += x - old; integers only, NULL for floats
   few     s = scale (rows[0] + ... + rows[k - 1]), 2 <= k <= FC_BOX_FEW; floats only
   before  s = next + scale x; floats only
   after   p += scale x, s += p; floats only
   along   s[i] = t[i] + ... + t[i + k - 1], each sum of these alone: a tree of sums of 4, 16, 64 ... neighbours.
           work holds 2 (max(FC_BOX_CHUNK, k) + k + 64) sums. Reads up to 64 of t past the last that the formula names.
   mean    y = s / k, truncated or rounded to the nearest (a tie to the even) where y is an integer; as exact as a division
   whole   t = s / k, truncated; integers only
   line    y = mean of along's sums of 2 <= taps <= FC_BOX_FEW at once, of k elements; returns 0 and does nothing where it
           cannot; NULL but for bytes */
#ifndef FASTCONV_BOX_H
#define FASTCONV_BOX_H
#include <stddef.h>

#define FC_BOX_TABLE "fastconv._kernels.box.v1"

enum { FC_BOX_FEW = 8, FC_BOX_CHUNK = 1024 };
enum { FC_BOX_U8, FC_BOX_U8_LONG, FC_BOX_I8, FC_BOX_U16, FC_BOX_I16, FC_BOX_I32, FC_BOX_U32, FC_BOX_I64, FC_BOX_F32,
       FC_BOX_F64, FC_N_BOXES };

typedef struct {
    int item, sum_item;                         /* bytes */
    double largest;                             /* of the integer sums */
    void (*load)(const void *x, double scale, void *s, ptrdiff_t n);
    void (*add)(const void *x, double scale, void *s, ptrdiff_t n);
    void (*move)(const void *x, const void *old, void *s, ptrdiff_t n);
    void (*few)(const void *const *rows, int k, double scale, void *s, ptrdiff_t n);
    void (*before)(const void *x, double scale, const void *next, void *s, ptrdiff_t n);
    void (*after)(const void *x, double scale, void *p, void *s, ptrdiff_t n);
    void (*along)(const void *t, ptrdiff_t k, void *s, ptrdiff_t n, void *work);
    void (*mean)(const void *s, double k, int nearest, void *y, ptrdiff_t n);
    void (*whole)(const void *s, double k, void *t, ptrdiff_t n);
    int (*line)(const void *t, ptrdiff_t taps, double k, int nearest, void *y, ptrdiff_t n);
} fc_box;

typedef struct {
    fc_box kind[FC_N_BOXES];
} fc_box_table;
#endif
