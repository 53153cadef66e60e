# The kernels of box filters, as their driver sees them; the contract is in box.h.
cdef extern from "box.h" nogil:
    const char* FC_BOX_TABLE
    enum:
        FC_BOX_FEW
        FC_BOX_CHUNK
        FC_BOX_U8
        FC_BOX_U8_LONG
        FC_BOX_I8
        FC_BOX_U16
        FC_BOX_I16
        FC_BOX_I32
        FC_BOX_U32
        FC_BOX_I64
        FC_BOX_F32
        FC_BOX_F64
    ctypedef struct fc_box:
        int item
        int sum_item
        double largest
        void (*load)(const void* x, double scale, void* s, Py_ssize_t n) noexcept nogil
        void (*add)(const void* x, double scale, void* s, Py_ssize_t n) noexcept nogil
        void (*move)(const void* x, const void* old, void* s, Py_ssize_t n) noexcept nogil
        void (*few)(const void* const* rows, int k, double scale, void* s, Py_ssize_t n) noexcept nogil
        void (*before)(const void* x, double scale, const void* next, void* s, Py_ssize_t n) noexcept nogil
        void (*after)(const void* x, double scale, void* p, void* s, Py_ssize_t n) noexcept nogil
        void (*along)(const void* t, Py_ssize_t k, void* s, Py_ssize_t n, void* work) noexcept nogil
        void (*mean)(const void* s, double k, int nearest, void* y, Py_ssize_t n) noexcept nogil
        void (*whole)(const void* s, double k, void* t, Py_ssize_t n) noexcept nogil
        int (*line)(const void* t, Py_ssize_t taps, double k, int nearest, void* y, Py_ssize_t n) noexcept nogil
    ctypedef struct fc_box_table:
        fc_box* kind
