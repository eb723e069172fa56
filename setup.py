"""The one C extension of ours; everything else about the package is in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/native")

setup(
    ext_modules=[
        Extension(
            "smc.transfer.native",
            sorted(str(path) for path in NATIVE.glob("*.c")),
            depends=[
                *sorted(str(path) for path in NATIVE.glob("*.h")),
                str(NATIVE / "flags.txt"),
                "setup.py",
            ],
            libraries=["crypto"],
            extra_compile_args=(NATIVE / "flags.txt").read_text().split(),
            py_limited_api=True,
        )
    ]
)
