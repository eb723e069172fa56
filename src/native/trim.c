/* What malloc keeps of what was let go. */
#include "native.h"

#include <malloc.h>

static PyObject *
trim(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
#ifdef __GLIBC__
    Py_BEGIN_ALLOW_THREADS
    malloc_trim(0);
    Py_END_ALLOW_THREADS
#endif
    Py_RETURN_NONE;
}

PyMethodDef trim_methods[] = {
    {"trim", trim, METH_NOARGS, "Give free memory back to the system."},
    {NULL, NULL, 0, NULL},
};
