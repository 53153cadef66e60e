// The header as C++ reads it.
#include <Python.h>

#include <fastconv/fastconv.h>

#include <vector>

static PyObject *squares(PyObject *, PyObject *)  // [1, 1] * [1, 1]
{
    std::vector<double> x(2, 1.0), y(3);
    int status = fastconv->convolve1d(FASTCONV_F64, x.data(), 2, x.data(), 2, y.data(), FASTCONV_FULL);
    if (status != FASTCONV_OK) return PyErr_Format(PyExc_ValueError, "%s", fastconv->strerror(status));
    return Py_BuildValue("ddd", y[0], y[1], y[2]);
}

static PyMethodDef methods[] = {{"squares", squares, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "consumer_cpp", nullptr, -1,     methods,
                                        nullptr,               nullptr,        nullptr, nullptr};

PyMODINIT_FUNC PyInit_consumer_cpp(void)
{
    if (fastconv_import() < 0) return nullptr;
    return PyModule_Create(&definition);
}
