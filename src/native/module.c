/* smc.transfer.native: the per-file and per-byte work of the transfer, without the interpreter's lock.

   Built against the limited API (3.11), so that one file serves every interpreter from there on; in the
   agent it lies beside the other extensions. The Python face is described in native.pyi. */
#include "native.h"

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "native",
    .m_doc = "Folders surveyed, files read and written in bulk, blocks matched.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit_native(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (PyModule_AddFunctions(module, survey_methods) < 0 || PyModule_AddFunctions(module, read_methods) < 0 ||
        PyModule_AddFunctions(module, write_methods) < 0 || PyModule_AddFunctions(module, delta_methods) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
