/* One filesystem made durable, and no other one waited for. */
#include "native.h"

#include <unistd.h>

static PyObject *
sync_filesystem(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int handle, failed;
    if (!PyArg_ParseTuple(arguments, "i:sync_filesystem", &handle))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = syncfs(handle);
    Py_END_ALLOW_THREADS
    if (failed)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyMethodDef sync_methods[] = {
    {"sync_filesystem", sync_filesystem, METH_VARARGS, "Write all of a filesystem to its disk."},
    {NULL, NULL, 0, NULL},
};
