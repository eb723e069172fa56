#include "native.h"

PyMethodDef read_methods[] = {
    {NULL, NULL, 0, NULL},
};
