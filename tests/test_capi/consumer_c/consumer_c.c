/* An extension module in plain C that calls fastconv without the GIL. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fastconv/fastconv.h>

/* blur(image, rows, columns, taps, side, result): float32 buffers; "same", continued by reflection. */
static PyObject *blur(PyObject *self, PyObject *args)
{
    Py_buffer x, w, y;
    ptrdiff_t n[2], m[2];
    Py_ssize_t rows, columns, side;
    int status;
    fastconv_plan *plan;
    fastconv_problem problem = {.operation = FASTCONV_CONVOLVE, .dtype = FASTCONV_F32, .ndim = 2, .mode = FASTCONV_SAME,
                                .boundary = FASTCONV_REFLECT};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nny*nw*", &x, &rows, &columns, &w, &side, &y)) return NULL;
    n[0] = rows;
    n[1] = columns;
    m[0] = m[1] = side;
    problem.x_shape = n;
    problem.w_shape = m;
    problem.w = w.buf;

    Py_BEGIN_ALLOW_THREADS
    status = fastconv->plan_create(&problem, &plan);
    if (status == FASTCONV_OK) status = fastconv->plan_execute(plan, x.buf, y.buf, NULL);
    fastconv->plan_destroy(plan);
    Py_END_ALLOW_THREADS

    PyBuffer_Release(&x);
    PyBuffer_Release(&w);
    PyBuffer_Release(&y);
    if (status != FASTCONV_OK) {
        PyErr_SetString(PyExc_ValueError, fastconv->strerror(status));
        return NULL;
    }
    return Py_BuildValue("II", (unsigned)fastconv->major, (unsigned)fastconv->minor);
}

static PyMethodDef methods[] = {{"blur", blur, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "consumer_c", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_consumer_c(void)
{
    if (fastconv_import() < 0) return NULL;
    return PyModule_Create(&definition);
}
