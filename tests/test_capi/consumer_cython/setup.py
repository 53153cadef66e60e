from Cython.Build import cythonize
from setuptools import Extension, setup

import fastconv

setup(
    name="consumer-cython",
    version="1",
    ext_modules=cythonize(
        [Extension("consumer_cython", ["consumer_cython.pyx"], include_dirs=[fastconv.get_include()])]
    ),
)
