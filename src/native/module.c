/* smc.transfer.native: the per-file and per-byte work of the transfer, without the interpreter's lock.

   Built against the limited API (3.11), so that one file serves every interpreter from there on; in the
   agent it lies beside the other extensions. The Python face is described in native.pyi. */
#include "native.h"

#include <malloc.h>

#define MAPPED (4 << 20) /* bytes: blocks of a MiB come and go, and each would be mapped and cleared anew */
#define KEPT (8 << 20)   /* bytes that are not given back at once */

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "native",
    .m_doc = "Folders surveyed, files read and written in bulk, blocks matched.",
    .m_size = -1,
};

static int
add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);
    int failed = type == NULL ? -1 : PyModule_AddObjectRef(module, name, type);
    Py_XDECREF(type);
    return failed;
}

PyMODINIT_FUNC
PyInit_native(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, MAPPED);
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_ARENA_MAX, 2); /* threads take turns in Python anyway; each arena keeps what it had at its peak */
#endif
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    PyMethodDef *const parts[] = {survey_methods, listing_methods, piece_methods, write_methods, delta_methods,
                                  sync_methods,   hash_methods,    step_methods,  proved_methods, trim_methods,
                                  mount_methods,  arrived_methods};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (PyModule_AddFunctions(module, parts[i]) < 0) {
            Py_DECREF(module);
            return NULL;
        }
    if (add_type(module, "Matcher", &matcher_spec) < 0 || add_type(module, "Parcel", &parcel_spec) < 0)
        Py_CLEAR(module);
    return module;
}
