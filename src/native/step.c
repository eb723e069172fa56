/* One step down a tree: a folder opened, and the device that it is on. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry.h"
#include "names.h"
#include "values.h"

/* Returns the handle or -errno. */
static int
step_into(int folder, const char *name, struct stat *state)
{
    int handle = open_quietly(folder, name, O_DIRECTORY);
    if (handle >= 0 && fstat(handle, state) < 0) {
        int error = errno;
        close(handle);
        return -error;
    }
    return handle;
}

static PyObject *
step(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct stat state;
    PyObject *bytes;
    int folder, handle;
    if (!PyArg_ParseTuple(arguments, "O&S:step", to_handle, &folder, &bytes))
        return NULL;
    const char *name = PyBytes_AsString(bytes);
    if (strlen(name) != (size_t)PyBytes_Size(bytes))
        return PyErr_Format(PyExc_ValueError, "a name has no NUL");
    Py_BEGIN_ALLOW_THREADS
    handle = step_into(folder, name, &state);
    Py_END_ALLOW_THREADS
    if (handle < 0)
        return raise_errno(-handle, name, (size_t)PyBytes_Size(bytes));
    return tuple_of(2, PyLong_FromLong(handle), PyLong_FromUnsignedLongLong(state.st_dev));
}

PyMethodDef step_methods[] = {
    {"step", step, METH_VARARGS, "A folder below, and its device."},
    {NULL, NULL, 0, NULL},
};
