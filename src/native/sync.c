/* A filesystem as a whole: made durable, and no other one waited for; and its kind. */
#include "native.h"

#include <sys/vfs.h>
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

static PyObject *
filesystem(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct statfs state;
    int handle, failed;
    if (!PyArg_ParseTuple(arguments, "i:filesystem", &handle))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = fstatfs(handle, &state);
    Py_END_ALLOW_THREADS
    if (failed)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromUnsignedLong((unsigned long)state.f_type & 0xFFFFFFFFUL);
}

PyMethodDef sync_methods[] = {
    {"filesystem", filesystem, METH_VARARGS, "The kind of a filesystem."},
    {"sync_filesystem", sync_filesystem, METH_VARARGS, "Write all of a filesystem to its disk."},
    {NULL, NULL, 0, NULL},
};
