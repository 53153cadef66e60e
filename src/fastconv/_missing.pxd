# Single outputs and single values of a block, for passes of whole blocks.

cdef enum:
    MOST_AXES = 64                  # NumPy's

ctypedef fused real:
    float
    double

cdef struct Shape:
    int ndim
    Py_ssize_t[MOST_AXES] n         # of the block,
    Py_ssize_t[MOST_AXES] m         # the kernel,
    Py_ssize_t[MOST_AXES] n_out     # the outputs
    Py_ssize_t[MOST_AXES] x_step    # elements from one index to the next
    Py_ssize_t[MOST_AXES] y_step

cdef void set_steps(Shape* s) noexcept nogil
# Take w off the outputs that read the element number `point`.
cdef void subtract_at(const Shape* s, Py_ssize_t point, const real* w, real* y) noexcept nogil
# The terms of one output added up, and the weights of its values.
cdef void sum_at(const Shape* s, Py_ssize_t output, const real* x, const real* ok, const real* w, double* top,
                 double* bottom) noexcept nogil
