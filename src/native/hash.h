/* Failures of hashing as Python's exceptions. */
#ifndef SMC_HASH_H
#define SMC_HASH_H

#include "native.h"

#include "sha256.h"

/* 0 for no failure, else -1 with its exception. */
int raise_failure(enum failure failure);

#endif
