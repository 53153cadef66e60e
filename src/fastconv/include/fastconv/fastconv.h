/* fastconv's C API: convolution without the GIL and without linking.
 *
 *     #include <Python.h>
 *     #include <fastconv/fastconv.h>
 *
 *     if (fastconv_import() < 0) return NULL;                  // once, holding the GIL
 *
 *     ptrdiff_t n[2] = {rows, columns}, m[2] = {5, 5};
 *     fastconv_problem blur = {.dtype = FASTCONV_F32, .ndim = 2, .x_shape = n, .w_shape = m, .w = taps,
 *                              .mode = FASTCONV_SAME, .boundary = FASTCONV_REFLECT};
 *     fastconv_plan *plan;
 *     int status = fastconv->plan_create(&blur, &plan);
 *     if (status == FASTCONV_OK) status = fastconv->plan_execute(plan, x, y, NULL);
 *     if (status != FASTCONV_OK) puts(fastconv->strerror(status));
 *     fastconv->plan_destroy(plan);
 *
 * Every function may be called with the GIL or without it, from any thread. Those that plan (plan_create, apply,
 * separable2d, conv2d, set_num_threads, get_num_threads) take the GIL while they do; plan_execute, convolve1d and
 * correlate1d do not, touch no Python object, and with a work buffer of the caller allocate nothing. One plan may be
 * executed by any number of threads at once, each with a work buffer of its own.
 *
 * Arrays are pointers with strides in bytes; elements are aligned and in the machine's byte order. An output may not
 * overlap an input. Results are those of fastconv.convolve and fastconv.correlate: the same bits for any number of threads.
 * Functions return FASTCONV_OK (0) or a negative status, and then have written nothing that counts.
 *
 * Compatibility: within one MAJOR functions are only ever appended, and the MINOR grows. A module built against x.y runs
 * with every x.z, z >= y. To run with an older library too, build with -DFASTCONV_API_MINOR_TARGET=<minor>: later members
 * then do not exist for the compiler.
 */
#ifndef FASTCONV_H
#define FASTCONV_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define FASTCONV_API_MAJOR 1
#define FASTCONV_API_MINOR 0
#ifndef FASTCONV_API_MINOR_TARGET
#define FASTCONV_API_MINOR_TARGET FASTCONV_API_MINOR
#endif
#define FASTCONV_CAPSULE "fastconv._capi._C_API"
#define FASTCONV_MAX_NDIM 32

enum {
    FASTCONV_OK = 0,
    FASTCONV_NO_MEMORY = -1,
    FASTCONV_BAD_POINTER = -2,      /* one is NULL that may not be */
    FASTCONV_BAD_OPERATION = -3,
    FASTCONV_BAD_DTYPE = -4,
    FASTCONV_BAD_NDIM = -5,         /* not from 1 to FASTCONV_MAX_NDIM */
    FASTCONV_BAD_SHAPE = -6,        /* an axis is empty or negative, or too long */
    FASTCONV_BAD_MODE = -7,         /* unknown; or "valid", and neither array is the longer one along every axis */
    FASTCONV_BAD_BOUNDARY = -8,
    FASTCONV_BAD_METHOD = -9,       /* unknown, or it cannot compute this dtype */
    FASTCONV_BAD_THREADS = -10,     /* negative */
    FASTCONV_BAD_ALIGNMENT = -11,   /* a pointer or a stride is no multiple of what elements need */
    FASTCONV_OVERLAP = -12,         /* the output shares memory with the input */
    FASTCONV_BAD_LAYER = -13,       /* groups, stride, padding or dilation do not fit the shapes */
    FASTCONV_FAILED = -14           /* an error inside, which should not be */
};

enum { FASTCONV_CONVOLVE, FASTCONV_CORRELATE };
enum {
    FASTCONV_F32, FASTCONV_F64, FASTCONV_C64, FASTCONV_C128,    /* complex: real part, imaginary part */
    FASTCONV_I8, FASTCONV_U8, FASTCONV_I16, FASTCONV_U16,       /* integers wrap around */
    FASTCONV_I32, FASTCONV_U32, FASTCONV_I64, FASTCONV_U64
};
enum { FASTCONV_FULL, FASTCONV_SAME, FASTCONV_VALID };
enum { FASTCONV_ZERO, FASTCONV_CONSTANT, FASTCONV_REFLECT, FASTCONV_MIRROR, FASTCONV_NEAREST, FASTCONV_WRAP };
enum { FASTCONV_AUTO, FASTCONV_DIRECT, FASTCONV_OVERLAP_SAVE };

/* A convolution of a signal x with a kernel w, all arrays of one dtype. What is zero or NULL stands for the default. */
typedef struct {
    int operation, dtype, ndim, mode, boundary, method;
    int threads;                            /* at most; 0: as many as fastconv's setting says */
    const ptrdiff_t *x_shape, *w_shape;     /* ndim elements each, positive */
    const ptrdiff_t *x_strides, *w_strides, *y_strides;     /* bytes; NULL: C-contiguous */
    const void *w;                          /* is copied by plan_create */
    const void *cval;                       /* one element, for FASTCONV_CONSTANT; NULL: 0 */
} fastconv_problem;

/* A convolution layer, a correlation as in neural networks: x (n, c, h, w), weight (o, c / groups, kh, kw), y (n, o, oh, ow)
   with oh = (h + padding[0] + padding[1] - dilation[0] (kh - 1) - 1) / stride[0] + 1; ow likewise. */
typedef struct {
    int dtype, groups, threads;             /* groups 0: 1 */
    ptrdiff_t n, c, h, w, o, kh, kw;
    ptrdiff_t stride[2], dilation[2];       /* 0: 1 */
    ptrdiff_t padding[4];                   /* zeros: above, below, left, right */
    const ptrdiff_t *x_strides, *weight_strides, *y_strides;    /* bytes; NULL: C-contiguous */
} fastconv_layer2d;

typedef struct fastconv_plan fastconv_plan;

typedef struct {
    uint32_t major, minor;                  /* of the library that fills this struct */
    size_t size;                            /* sizeof the struct it fills */
    const char *version;                    /* of the package, as "0.1.0" */

    /* since 1.0 */
    const char *(*strerror)(int status);
    const char *(*isa)(void);               /* the instruction set of the kernels, as "x86_v3" */
    int (*set_num_threads)(int n);          /* for the process; n >= 1 */
    int (*get_num_threads)(void);

    /* The result's shape: ndim numbers. */
    int (*output_shape)(const fastconv_problem *problem, ptrdiff_t *shape);
    int (*plan_create)(const fastconv_problem *problem, fastconv_plan **plan);
    /* Bytes that plan_execute needs, at any address. */
    ptrdiff_t (*plan_work_bytes)(const fastconv_plan *plan);
    /* work NULL: memory is allocated. */
    int (*plan_execute)(const fastconv_plan *plan, const void *x, void *y, void *work);
    void (*plan_destroy)(fastconv_plan *plan);      /* NULL is allowed */
    /* Create, execute, destroy. */
    int (*apply)(const fastconv_problem *problem, const void *x, void *y);

    /* Contiguous lines, summed directly: y has n + m - 1, max(n, m) or |n - m| + 1 elements, as numpy.convolve's and
       numpy.correlate's mode. For small ones: no plan, no memory beyond the stack but for lines of thousands. */
    int (*convolve1d)(int dtype, const void *x, ptrdiff_t n, const void *w, ptrdiff_t m, void *y, int mode);
    int (*correlate1d)(int dtype, const void *x, ptrdiff_t n, const void *w, ptrdiff_t m, void *y, int mode);

    /* y[r, c] = sum over i, j of column[i] row[j] x[r + i - (n_column - 1) / 2, c + j - (n_row - 1) / 2]: an image filtered
       along its columns and rows, of the same shape. Taps are contiguous. */
    int (*separable2d)(int dtype, const void *x, const ptrdiff_t shape[2], const ptrdiff_t *x_strides,
                       const void *column, ptrdiff_t n_column, const void *row, ptrdiff_t n_row, void *y,
                       const ptrdiff_t *y_strides, int boundary, const void *cval, int threads);
    /* bias: o elements, or NULL. */
    int (*conv2d)(const fastconv_layer2d *layer, const void *x, const void *weight, const void *bias, void *y);
} fastconv_api;

#ifdef Py_PYTHON_H
#ifndef FASTCONV_NO_IMPORT
static const fastconv_api *fastconv = NULL;

/* 0, or -1 with an ImportError set. */
static int fastconv_import(void)
{
    const fastconv_api *api = (const fastconv_api *)PyCapsule_Import(FASTCONV_CAPSULE, 0);
    if (api == NULL) return -1;
    if ((int)api->major != FASTCONV_API_MAJOR || (int)api->minor < FASTCONV_API_MINOR_TARGET) {
        PyErr_Format(PyExc_ImportError,
            "this module was built for fastconv's C API %d.%d, but fastconv %s has %u.%u",
            FASTCONV_API_MAJOR, FASTCONV_API_MINOR_TARGET, api->version,
            (unsigned)api->major, (unsigned)api->minor);
        return -1;
    }
    fastconv = api;
    return 0;
}
#endif
#endif

#ifdef __cplusplus
}
#endif
#endif
