# The passes over a block of coefficients, for the drivers (_fft, _whole). `t` comes from plan(...).tree; width, columns
# and rows may be set in a copy of it. re and im hold n numbers, those of `nodes` nodes from number q before pass i; a
# whole block is i = 0, q = 0, nodes = 1.
from fastconv._kernels.table cimport fc_fft

cdef enum:
    MAX_PASSES = 32

cdef struct Tree:                   # the passes over a block of m coefficients
    const fc_fft* kernels
    int item, lanes                 # bytes of a real number; reals in a vector
    Py_ssize_t m, width             # numbers in a coefficient: 1, or a row of them
    Py_ssize_t columns              # numbers at the end of a row that are multiplied by the same one; else 1
    Py_ssize_t leaf                 # numbers in a part of the block that is worked on pass by pass
    int last                        # number of the last pass, of radix 4
    int[MAX_PASSES] radix
    const char* w[MAX_PASSES]       # twiddle factors by pass and node
    const char* modulus             # of the nodes at the end
    const Tree* rows                # coefficients that are rows: how to multiply them, NULL: by one number each


cdef class Plan:
    cdef Tree tree
    cdef list tables


cdef Py_ssize_t spectrum_bytes(const Tree* t, Py_ssize_t n) noexcept nogil
# The transform of a kernel, into h.
cdef void transform(const Tree* t, char* re, char* im, char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                    Py_ssize_t n) noexcept nogil
# A signal's product with h, and back again.
cdef void multiply(const Tree* t, char* re, char* im, const char* h, int i, Py_ssize_t q, Py_ssize_t nodes,
                   Py_ssize_t n) noexcept nogil
# The same of a whole block that is read from elsewhere, of two passes or more, one if its coefficients are rows.
cdef void multiply_from(const Tree* t, const char* of_re, const char* of_im, char* re, char* im,
                        const char* h) noexcept nogil
# The same with the kernel in g, whose transform is needed only once: h holds a leaf of it.
cdef void multiply_both(const Tree* t, char* re, char* im, char* g_re, char* g_im, char* h, int i, Py_ssize_t q,
                        Py_ssize_t nodes, Py_ssize_t n) noexcept nogil
# Passes i to end - 1 alone, of rows that end up to_ld numbers apart; and back, of such rows.
cdef void down(const Tree* t, char* re, char* im, char* to_re, char* to_im, Py_ssize_t to_ld, int i, int end,
               Py_ssize_t q, Py_ssize_t nodes, Py_ssize_t n) noexcept nogil
cdef void up(const Tree* t, const char* of_re, const char* of_im, Py_ssize_t of_ld, char* re, char* im, int i, int end,
             Py_ssize_t q, Py_ssize_t nodes, Py_ssize_t n) noexcept nogil
