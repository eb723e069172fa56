/* Mounting by the caller itself: the program mount(8) runs in a domain of its own where SELinux is enforcing, which
   may not mount over what the caller made. */
#include "native.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "values.h"

static PyObject *
mount_at(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *source, *target;
    const char *type, *options;
    unsigned long flags;
    int failed, error;
    if (!PyArg_ParseTuple(arguments, "O&O&sks:mount", PyUnicode_FSConverter, &source, PyUnicode_FSConverter, &target,
                          &type, &flags, &options))
        return NULL;
    const char *from = PyBytes_AsString(source), *at = PyBytes_AsString(target);
    Py_BEGIN_ALLOW_THREADS
    failed = mount(from, at, type, flags, options);
    error = errno;
    Py_END_ALLOW_THREADS
    if (failed)
        raise_errno(error, at, strlen(at));
    Py_DECREF(source);
    Py_DECREF(target);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef mount_methods[] = {
    {"mount", mount_at, METH_VARARGS, "A filesystem, or a folder of one, at a folder."},
    {NULL, NULL, 0, NULL},
};
