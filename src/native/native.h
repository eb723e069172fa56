/* What the parts of smc.transfer.native share. */
#ifndef SMC_NATIVE_H
#define SMC_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <Python.h>

extern PyMethodDef survey_methods[];
extern PyMethodDef listing_methods[];
extern PyMethodDef piece_methods[];
extern PyMethodDef write_methods[];
extern PyMethodDef delta_methods[];
extern PyMethodDef sync_methods[];
extern PyMethodDef hash_methods[];
extern PyMethodDef step_methods[];
extern PyMethodDef proved_methods[];
extern PyMethodDef trim_methods[];
extern PyMethodDef mount_methods[];
extern PyMethodDef arrived_methods[];
extern PyType_Spec matcher_spec;
extern PyType_Spec parcel_spec;

#endif
