#include "native.h"

PyMethodDef delta_methods[] = {
    {NULL, NULL, 0, NULL},
};
